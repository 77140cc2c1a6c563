// libxsmm generates kernels for blocks; the order of blocks is ours, and the fastest of those that were
// tried.
#include <fmt/format.h>
#include <libxsmm.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "ess_core/device/cpu/kernels/bench/two_products.h"
#include "ess_core/device/cpu/kernels/gemm.h"

namespace ess::cpu::bench {
namespace {

constexpr int query_heads = 32;  // of one packed tile of queries
constexpr int query_rows = 32;   // that are multiplied with it at once
constexpr int output_columns = 64;
constexpr int output_heads = 64;
constexpr int output_rows = 256;  // summed at once

struct kernel_shape {
  int m, n, k;
  int lda, ldb, ldc;
  float beta;
  int flags;
};

// Column-major, as libxsmm has it.
libxsmm_smmfunction kernel(const kernel_shape& s) {
  const float alpha = 1;
  const int prefetch = LIBXSMM_GEMM_PREFETCH_NONE;
  const auto generated =
      libxsmm_smmdispatch(s.m, s.n, s.k, &s.lda, &s.ldb, &s.ldc, &alpha, &s.beta, &s.flags, &prefetch);
  if (generated == nullptr) throw std::runtime_error("libxsmm generates no kernel");
  return generated;
}

class libxsmm_products final : public two_products {
 public:
  explicit libxsmm_products(attention_sizes sizes)
      : sizes_(sizes),
        query_(static_cast<std::size_t>(sizes.heads) * sizes.width()),
        query_product_(kernel({.m = query_heads,
                               .n = query_rows,
                               .k = sizes.width(),
                               .lda = query_heads,
                               .ldb = sizes.width(),
                               .ldc = sizes.heads,
                               .beta = 0,
                               .flags = LIBXSMM_GEMM_FLAG_NONE})),
        first_product_(weight_product(0)),
        next_product_(weight_product(1)) {
    if (sizes.heads % output_heads != 0 || sizes.rows % output_rows != 0 ||
        sizes.kv_lora % output_columns != 0)
      throw std::invalid_argument("libxsmm_products: no blocks for these sizes");
  }

  std::string library() const override { return gemm_kernel_name(); }

  logit_order order() const override { return logit_order::rows_by_heads; }

  void multiply_query(const float* query, const float* rows, float* logits) override {
    pack(query);
    for (int r = 0; r < sizes_.rows; r += query_rows)
      for (int h = 0; h < sizes_.heads; h += query_heads)
        query_product_(&query_[static_cast<std::size_t>(h) * sizes_.width()],
                       rows + static_cast<std::size_t>(r) * sizes_.width(),
                       logits + static_cast<std::size_t>(r) * sizes_.heads + h);
  }

  void multiply_weights(const float* weights, const float* rows, float* out) override {
    for (int r = 0; r < sizes_.rows; r += output_rows)
      for (int c = 0; c < sizes_.kv_lora; c += output_columns)
        for (int h = 0; h < sizes_.heads; h += output_heads)
          (r == 0 ? first_product_ : next_product_)(rows + static_cast<std::size_t>(r) * sizes_.width() + c,
                                                    weights + static_cast<std::size_t>(r) * sizes_.heads + h,
                                                    out + static_cast<std::size_t>(h) * sizes_.kv_lora + c);
  }

 private:
  libxsmm_smmfunction weight_product(float beta) const {
    return kernel({.m = output_columns,
                   .n = output_heads,
                   .k = output_rows,
                   .lda = sizes_.width(),
                   .ldb = sizes_.heads,
                   .ldc = sizes_.kv_lora,
                   .beta = beta,
                   .flags = LIBXSMM_GEMM_FLAG_TRANS_B});
  }

  // [heads][width] -> tiles of [width][query_heads].
  void pack(const float* query) {
    const auto width = static_cast<std::size_t>(sizes_.width());
    for (int h = 0; h < sizes_.heads; ++h)
      for (std::size_t i = 0; i < width; ++i)
        query_[h / query_heads * query_heads * width + i * query_heads + h % query_heads] =
            query[h * width + i];
  }

  attention_sizes sizes_;
  std::vector<float> query_;
  libxsmm_smmfunction query_product_, first_product_, next_product_;
};

}  // namespace

std::unique_ptr<two_products> products_of_libxsmm(attention_sizes sizes) {
  return std::make_unique<libxsmm_products>(sizes);
}

}  // namespace ess::cpu::bench
