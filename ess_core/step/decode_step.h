// Whole step programs: a decode step of all layers, and what warms a pool up.
#pragma once

#include "ess_core/step/overlap.h"

namespace ess {

// How a decode step lays transfers and compute over each other.
struct overlap_choice {
  overlap_kind kind = overlap_kind::none;
  std::vector<overlap_kind> by_layer = {};  // layerwise: of each layer, none, da or dba; da where it ends
  // Two-batch overlap: two halves of the batch go through the layers in turns, so that what one waits for
  // (rows over the link, experts elsewhere) comes while the other computes. One seat has no second half.
  std::int32_t micro_batches = 1;  // 1 or 2
  // Expert parallelism: tokens go to the ranks of their experts and come back over the network, on a stream of
  // their own.
  bool experts_elsewhere = false;
};

[[nodiscard]] step_program build_decode_step(const model_dims& model, batch_shape shape,
                                             const cache_system& system, const overlap_choice& overlap);

// Resolve alone: what warm-up replays for each of the last prompt positions. Nothing is appended or moved.
enum class warm_up_ids : std::uint8_t {
  selected,  // the indexer selects them first
  given,     // they are in `selected` already
};
[[nodiscard]] step_program build_warm_up_step(const model_dims& model, batch_shape shape,
                                              const cache_system& system, batch_slice slice, warm_up_ids ids);

// Brings the rows of what the pools hold after that.
enum class row_origin : std::uint8_t { host_store, landing_area };
[[nodiscard]] step_program build_fill_pool_step(const model_dims& model, batch_shape shape,
                                                const cache_system& system, batch_slice slice,
                                                row_origin origin);

// Hand-over by way of the device: what has landed there goes to the host store.
[[nodiscard]] step_program build_store_landed_step(const model_dims& model, batch_shape shape,
                                                   const cache_system& system, batch_slice slice);

}  // namespace ess
