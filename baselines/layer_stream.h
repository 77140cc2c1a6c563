// Layer streaming (as FlexGen does): all latents on the host, and the whole layer's latents are copied each
// step. The next layer's copy runs under this layer's compute, in two buffers. No top-k is needed before a
// copy starts.
#pragma once

#include "ess_core/step/cache_system.h"

namespace ess {

class layer_stream_system final : public cache_system {
 public:
  [[nodiscard]] std::string_view name() const override { return "layer_stream"; }
  [[nodiscard]] latent_home home() const override { return latent_home::host; }
  [[nodiscard]] std::int32_t latent_copies(const model_dims&) const override { return 2; }
  [[nodiscard]] request_extent extent(const model_dims& model, token_id final_tokens,
                                      std::int32_t query_tokens) const override;
  [[nodiscard]] row_addressing addressing() const override { return row_addressing::by_token; }

  void begin_layer(program_builder& b, std::int32_t layer, batch_slice slice) const override;
  void store_new_row(program_builder& b, std::int32_t layer, batch_slice slice) const override;
  void write_back(program_builder& b, std::int32_t layer, batch_slice slice) const override;
};

}  // namespace ess
