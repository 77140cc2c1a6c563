// The shipped engines' way (HiSparse: SGLang pull request 20343, arXiv 2608.07009), from its description:
// full latents in host memory and a small pool of fixed size per request and layer, resolved by hash and scan
// (ess_core/cache/hash_scan.h). The pool starts empty, and attention waits for the fetch. Program and kernels
// are those of `ess`, so that what differs is the design alone.
#pragma once

#include "ess_core/cache/pooled_system.h"

namespace ess {

class hisparse_system final : public pooled_system {
 public:
  // `pool_rows` 0: twice the top-k, as the engines ship it.
  explicit hisparse_system(std::int64_t pool_rows) : pool_rows_(pool_rows) {}

  [[nodiscard]] std::string_view name() const override { return "hisparse"; }
  [[nodiscard]] pool_kind pool() const override { return pool_kind::hash_scan; }
  [[nodiscard]] bool warms_up() const override { return false; }

 private:
  [[nodiscard]] std::int64_t pool_slots(const model_dims& model, token_id final_tokens) const override;

  std::int64_t pool_rows_;
};

}  // namespace ess
