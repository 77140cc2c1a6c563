// A small attention layer made from the weights of a golden set: what of it does not depend on quantisation.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ess_core/model/dims.h"
#include "ess_core/reference/golden/golden_set.h"
#include "ess_core/reference/golden/operations.h"

namespace ess::golden {

// Without the rotary constants, which the set gives in words and in two variants.
[[nodiscard]] model_dims layer_dims(const golden_set& set);

struct layer_weights {
  layer_weights(const golden_set& set, const model_dims& dims);

  std::vector<float> q_a, q_a_norm, q_b, kv_a, kv_a_norm, out;
  std::vector<float> index_query, index_key, index_norm, index_bias, index_weight;
  std::vector<float> key_up;    // [heads][nope][kv_lora]
  std::vector<float> value_up;  // [heads][v][kv_lora]
};

// What attention and indexer keep of each token, not quantised. Rows of kv_lora, rope and index_dim.
struct token_caches {
  std::vector<float> latent, k_pe, index_key, index_key_unrotated;
};

struct query_side {
  std::vector<float> q_resid, absorbed, index_query, index_query_unrotated;
  std::vector<float> index_weight_raw, index_weight;  // the second without any query scale
};

struct attended {
  std::vector<float> latent_out, lse, head_out, out;
};

class layer {
 public:
  layer(const golden_set& set, const operations& run, model_dims dims);

  [[nodiscard]] const model_dims& dims() const { return dims_; }
  [[nodiscard]] std::int64_t tokens() const { return tokens_; }
  [[nodiscard]] std::int64_t prompt() const { return prompt_; }

  struct angles {
    std::vector<float> cos, sin;
  };
  [[nodiscard]] angles angles_at(std::int64_t token) const;
  [[nodiscard]] token_caches cache_all() const;
  [[nodiscard]] query_side query_of(std::int64_t token) const;
  // Values and output projection of one token.
  [[nodiscard]] attended finish(const attention_result& part) const;

 private:
  [[nodiscard]] floats hidden(std::int64_t token) const;
  void add_attention_key(std::int64_t token, const angles& at, token_caches& caches) const;
  void add_index_key(std::int64_t token, const angles& at, token_caches& caches) const;

  const operations& run_;
  model_dims dims_;
  layer_weights weights_;
  double rms_epsilon_, norm_epsilon_;
  std::int64_t prompt_, tokens_;
  std::vector<float> hidden_;
  std::vector<double> frequencies_;
};

}  // namespace ess::golden
