// Which layers are followed, and which one stands for each of the others.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ess_core/locality/layer_locality.h"

namespace ess::sim {

// [layers]: the followed layer whose counts each layer has. Layers in the order of the misses that they can
// be expected to have are cut into `followed` stretches, as even as can be; the middle one stands for its
// stretch. followed 0: every layer itself.
[[nodiscard]] std::vector<std::int32_t> layers_that_stand_for(std::span<const layer_locality> localities,
                                                              std::int32_t layers, std::int32_t followed);

}  // namespace ess::sim
