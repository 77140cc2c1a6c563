// All latents on the device: no transfer; the batch is what fits.
#pragma once

#include "ess_core/step/cache_system.h"

namespace ess {

class all_gpu_system final : public cache_system {
 public:
  [[nodiscard]] std::string_view name() const override { return "all_gpu"; }
  [[nodiscard]] latent_home home() const override { return latent_home::device; }
  [[nodiscard]] std::int32_t latent_copies(const model_dims& model) const override { return model.layers; }
  [[nodiscard]] request_extent extent(const model_dims& model, token_id final_tokens,
                                      std::int32_t query_tokens) const override;
  [[nodiscard]] row_addressing addressing() const override { return row_addressing::by_token; }

  void store_new_row(program_builder& b, std::int32_t layer, batch_slice slice) const override;
};

}  // namespace ess
