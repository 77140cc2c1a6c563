// Naive offload: all latents on the host; every step brings every selected row into a staging buffer, then
// attends. No pool, no overlap. The two differ only in how rows cross the link.
#pragma once

#include "ess_core/step/cache_system.h"

namespace ess {

class naive_system : public cache_system {
 public:
  [[nodiscard]] latent_home home() const final { return latent_home::host; }
  // Layers take turns in one staging buffer, which `latents` is for these systems.
  [[nodiscard]] std::int32_t latent_copies(const model_dims&) const final { return 1; }
  [[nodiscard]] request_extent extent(const model_dims& model, token_id final_tokens,
                                      std::int32_t query_tokens) const final;
  [[nodiscard]] row_addressing addressing() const final { return row_addressing::by_location; }

  void resolve(program_builder& b, std::int32_t layer, batch_slice slice) const final;
  void write_back(program_builder& b, std::int32_t layer, batch_slice slice) const final;
};

// One gather kernel for all selected rows.
class naive_gather_system final : public naive_system {
 public:
  [[nodiscard]] std::string_view name() const override { return "naive_gather"; }
  void fetch(program_builder& b, std::int32_t layer, batch_slice slice) const override;
};

// One copy call per selected row; the host needs the ids for that.
class naive_memcpy_system final : public naive_system {
 public:
  [[nodiscard]] std::string_view name() const override { return "naive_memcpy"; }
  void fetch(program_builder& b, std::int32_t layer, batch_slice slice) const override;
};

}  // namespace ess
