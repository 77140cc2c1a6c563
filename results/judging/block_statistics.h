// Statistics of blocks: pairs of values that were measured side by side, one in each arm. What the machine
// did meanwhile met both, so a block's ratio says more than its values; blocks are taken as independent. A
// span that must not be empty, and is, or a number that is not positive: std::invalid_argument.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "results/statistics.h"

namespace results {

// after[i] / before[i]; all positive, as many of one as of the other.
[[nodiscard]] std::vector<double> block_ratios(std::span<const double> before, std::span<const double> after);

// Percentile interval of the median ratio, blocks resampled with replacement.
[[nodiscard]] interval bootstrap_median_ratio(std::span<const double> ratios,
                                              const bootstrap_options& options = {});

// Of the geometric mean over points of their median ratios. Points share blocks, so a replicate draws the
// same blocks for all of them. `ratios`: one list a point, all of the same length.
[[nodiscard]] interval bootstrap_geometric_mean(std::span<const std::vector<double>> ratios,
                                                const bootstrap_options& options = {});

// Two-sided p-value of Wilcoxon's signed-rank test that the logarithms of `ratios` are symmetric about 0:
// exact, ratios of 1 left out, ties with middle ranks. 1 if nothing is left.
[[nodiscard]] double signed_rank_p(std::span<const double> ratios);

// Holm's step-down adjustment for as many tests as there are p-values; in their order.
[[nodiscard]] std::vector<double> holm_adjusted(std::span<const double> p);

}  // namespace results
