// What cache systems with full latents in host memory and a sparse pool per request and layer have in common:
// everything but the size and the kind of the pool, and what runs beside the fetch.
#pragma once

#include "ess_core/step/cache_system.h"

namespace ess {

class pooled_system : public cache_system {
 public:
  [[nodiscard]] latent_home home() const final { return latent_home::host; }
  [[nodiscard]] std::int32_t latent_copies(const model_dims& model) const final { return model.layers; }
  // Where a step's rows may exceed the pool, staging rows hold the surplus.
  [[nodiscard]] request_extent extent(const model_dims& model, token_id final_tokens,
                                      std::int32_t query_tokens) const final;
  [[nodiscard]] row_addressing addressing() const final { return row_addressing::by_location; }

  void resolve(program_builder& b, std::int32_t layer, batch_slice slice) const final;
  void store_new_row(program_builder& b, std::int32_t layer, batch_slice slice) const final;
  void write_back(program_builder& b, std::int32_t layer, batch_slice slice) const final;
  void fetch(program_builder& b, std::int32_t layer, batch_slice slice) const final;

 private:
  // Slots that a request wants in each layer; it gets as many as it has tokens at most.
  [[nodiscard]] virtual std::int64_t pool_slots(const model_dims& model, token_id final_tokens) const = 0;
};

}  // namespace ess
