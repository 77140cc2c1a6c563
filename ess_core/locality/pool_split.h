// Pools of different sizes for the layers of a request: the same rows in all, fewer misses.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ess_core/locality/miss_curve.h"

namespace ess {

// Rows of each layer's LRU pool, `total` in all, so that the layers' misses sum to little, each layer with at
// least the rows of its largest step. Rows go where they save most a row, along the lower convex hulls of the
// curves (Fox, "Discrete optimization via marginal analysis", Management Science 13(3), 1966): to the fewest
// misses there are, but for the last stretches of hull that the rows do not reach across. Rows that save
// nothing are spread evenly. Nothing if `total` is less than the largest steps need.
[[nodiscard]] std::optional<std::vector<std::int64_t>> split_pool(std::span<const miss_curve> layers,
                                                                  std::int64_t total);

}  // namespace ess
