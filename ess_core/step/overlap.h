// Overlap strategies: each orders the operations of one layer for one slice of the batch.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "ess_core/step/cache_system.h"

namespace ess {

enum class overlap_kind : std::uint8_t {
  none,  // pre-attention, indexer, then D2H and H2D, then attention
  da,    // dual attention: indexer first; H2D hides under pre-attention and the attention of resident rows
  dba,   // dual-batch attention: as da, but half the batch's H2D also hides under the other half's indexer
};

inline constexpr std::array all_overlaps = {overlap_kind::none, overlap_kind::da, overlap_kind::dba};

[[nodiscard]] std::string_view to_string(overlap_kind kind);
[[nodiscard]] std::optional<overlap_kind> parse_overlap(std::string_view name);

// The decode step of `system` under `overlap`, all layers. A system that cannot split its attention is built
// with `none` whatever is asked for (`effective_overlap` says so).
[[nodiscard]] overlap_kind effective_overlap(const cache_system& system, overlap_kind asked);
[[nodiscard]] step_program build_decode_step(const model_dims& model, batch_shape shape,
                                             const cache_system& system, overlap_kind overlap);
// Resolve and fetch alone: what warm-up replays for each of the last prompt positions. Nothing is appended.
enum class warm_up_ids : std::uint8_t {
  selected,  // the indexer selects them first
  given,     // they are in `selected` already
};
[[nodiscard]] step_program build_warm_up_step(const model_dims& model, batch_shape shape,
                                              const cache_system& system, batch_slice slice, warm_up_ids ids);

}  // namespace ess
