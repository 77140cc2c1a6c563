// ESS as a cache system: full latents in host memory, hot rows in a sparse pool per request and layer, which
// are attended while the missed rows are fetched.
#pragma once

#include "ess_core/cache/pooled_system.h"

namespace ess {

struct ess_options {
  // Slots per request and layer: a number of rows, or a share of the request's final context.
  std::int64_t pool_rows = 0;  // 0: use the ratio
  double sparse_ratio = 0.2;
  // Of each layer beside that of the others; empty: all alike. Divided by their mean, so that the total
  // stays; layers beyond those given have the mean.
  std::vector<double> pool_weights = {};
  pool_kind policy = pool_kind::lru;
  std::int32_t prefetch_rows = 0;  // fetched ahead a request and layer at most; LRU only
};

class ess_system final : public pooled_system {
 public:
  explicit ess_system(ess_options options);

  [[nodiscard]] std::string_view name() const override { return "ess"; }
  [[nodiscard]] bool splits_attention() const override { return true; }
  [[nodiscard]] std::vector<std::uint32_t> layer_weights(const model_dims& model) const override;
  [[nodiscard]] pool_kind pool() const override { return options_.policy; }
  [[nodiscard]] std::int32_t prefetch_rows() const override { return options_.prefetch_rows; }

  void select_ahead(program_builder& b, std::int32_t layer, batch_slice slice) const override;
  void fetch_ahead(program_builder& b, std::int32_t layer, batch_slice slice) const override;

 private:
  [[nodiscard]] std::int64_t pool_slots(const model_dims& model, token_id final_tokens) const override;

  ess_options options_;
};

}  // namespace ess
