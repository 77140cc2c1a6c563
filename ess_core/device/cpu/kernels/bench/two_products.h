// Attention as general libraries have it, to compare `attend` with: all rows in f32, a product with the
// queries, a softmax, a product with the weights. One implementation a library; the rest is shared.
#pragma once

#include <memory>
#include <span>
#include <string>

namespace ess::cpu::bench {

struct attention_sizes {
  int heads;
  int rows;
  int kv_lora;
  int rope;

  [[nodiscard]] int width() const { return kv_lora + rope; }
};

// How a library likes logits and weights best.
enum class logit_order { heads_by_rows, rows_by_heads };

class two_products {
 public:
  virtual ~two_products() = default;
  [[nodiscard]] virtual std::string library() const = 0;
  [[nodiscard]] virtual logit_order order() const = 0;
  // query: [heads][width], rows: [rows][width] -> logits, in that order.
  virtual void multiply_query(const float* query, const float* rows, float* logits) = 0;
  // weights as the logits, rows: [rows][width] of which kv_lora columns count -> out: [heads][kv_lora].
  virtual void multiply_weights(const float* weights, const float* rows, float* out) = 0;
};

// Null where the library was not found when this was built.
std::unique_ptr<two_products> products_of_libxsmm(attention_sizes sizes);
std::unique_ptr<two_products> products_of_onednn(attention_sizes sizes);
std::unique_ptr<two_products> products_of_openblas(attention_sizes sizes);

// exp(scale * logit - largest of its head), in place; inverse_sums: [heads], of a head's.
void soften(float* logits, attention_sizes sizes, logit_order order, float scale, float* inverse_sums);
// Row i times factors[i].
void scale_rows(float* values, int count, int columns, const float* factors);

}  // namespace ess::cpu::bench
