// Overlap strategies: each orders the operations of one layer for one slice of the batch.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "ess_core/step/cache_system.h"

namespace ess {

enum class overlap_kind : std::uint8_t {
  none,  // pre-attention, indexer, then D2H and H2D, then attention
  da,    // dual attention: indexer first; H2D hides under pre-attention and the attention of resident rows
  dba,   // dual-batch attention: as da, but half the batch's H2D also hides under the other half's indexer
  layerwise,  // dba in the layers that miss many rows, da in the others
};

inline constexpr std::array all_overlaps = {overlap_kind::none, overlap_kind::da, overlap_kind::dba,
                                            overlap_kind::layerwise};

[[nodiscard]] std::string_view to_string(overlap_kind kind);
[[nodiscard]] std::optional<overlap_kind> parse_overlap(std::string_view name);

// A system that cannot split its attention is built with `none` whatever is asked for.
[[nodiscard]] overlap_kind effective_overlap(const cache_system& system, overlap_kind asked);

// Of `layerwise`: dba from `threshold` misses a request and step on. Layers beyond those given take da.
[[nodiscard]] std::vector<overlap_kind> overlap_by_misses(std::span<const double> misses_by_layer,
                                                          double threshold);

// Adds all operations of a layer up to its attention; marks where another micro-batch may come between.
// `kind` is none, da or dba.
void add_attention_part(program_builder& b, const cache_system& system, overlap_kind kind, std::int32_t layer,
                        batch_slice slice);

}  // namespace ess
