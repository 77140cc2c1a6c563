#include "results/judging/block_statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "ess_core/base/random.h"

namespace results {
namespace {

void check_positive(std::span<const double> values) {
  if (values.empty()) throw std::invalid_argument("statistics of no blocks");
  if (!std::ranges::all_of(values, [](double x) { return x > 0 && std::isfinite(x); }))
    throw std::invalid_argument("statistics of blocks that are not positive numbers");
}

interval percentile_interval(std::vector<double> replicates, double confidence) {
  const double tail = (1.0 - confidence) / 2.0;
  return {quantile(replicates, tail), quantile(replicates, 1.0 - tail)};
}

// Twice the rank of each magnitude, so that the middle ranks of ties are whole numbers.
std::vector<std::size_t> doubled_ranks(std::span<const double> magnitudes) {
  std::vector<std::size_t> ranks;
  for (const double m : magnitudes) {
    const auto below =
        static_cast<std::size_t>(std::ranges::count_if(magnitudes, [&](double x) { return x < m; }));
    const auto equal = static_cast<std::size_t>(std::ranges::count(magnitudes, m));
    ranks.push_back(2 * below + equal + 1);
  }
  return ranks;
}

// P(sum = s) for s = 0 ... of those ranks whose sign is positive, each with chance 1/2.
std::vector<double> sum_distribution(std::span<const std::size_t> ranks) {
  std::vector<double> chance(std::accumulate(ranks.begin(), ranks.end(), std::size_t{1}), 0.0);
  chance[0] = 1.0;
  for (const std::size_t rank : ranks) {
    for (std::size_t s = chance.size(); s-- > 0;)
      chance[s] = 0.5 * (chance[s] + (s >= rank ? chance[s - rank] : 0.0));
  }
  return chance;
}

}  // namespace

std::vector<double> block_ratios(std::span<const double> before, std::span<const double> after) {
  if (before.size() != after.size()) throw std::invalid_argument("blocks without a partner");
  check_positive(before);
  check_positive(after);
  std::vector<double> ratios;
  for (std::size_t i = 0; i < before.size(); ++i) ratios.push_back(after[i] / before[i]);
  return ratios;
}

interval bootstrap_median_ratio(std::span<const double> ratios, const bootstrap_options& options) {
  const std::vector<double> one(ratios.begin(), ratios.end());
  return bootstrap_geometric_mean(std::span(&one, 1), options);
}

interval bootstrap_geometric_mean(std::span<const std::vector<double>> ratios,
                                  const bootstrap_options& options) {
  if (ratios.empty()) throw std::invalid_argument("statistics of no points");
  const std::size_t blocks = ratios.front().size();
  for (const auto& point : ratios) {
    check_positive(point);
    if (point.size() != blocks) throw std::invalid_argument("points with different numbers of blocks");
  }
  const ess::counter_rng draw(options.seed, ess::purpose::bootstrap, 2);
  std::vector<double> means, drawn(blocks), medians(ratios.size());
  for (std::uint64_t r = 0; r < static_cast<std::uint64_t>(options.replicates); ++r) {
    for (std::size_t point = 0; point < ratios.size(); ++point) {
      for (std::size_t i = 0; i < blocks; ++i) drawn[i] = ratios[point][draw.below(blocks, r * blocks + i)];
      medians[point] = median(drawn);
    }
    means.push_back(medians.size() == 1 ? medians.front() : geometric_mean(medians));
  }
  return percentile_interval(std::move(means), options.confidence);
}

double signed_rank_p(std::span<const double> ratios) {
  check_positive(ratios);
  std::vector<double> magnitudes;
  std::vector<bool> up;
  for (const double ratio : ratios) {
    if (ratio == 1.0) continue;
    magnitudes.push_back(std::abs(std::log(ratio)));
    up.push_back(ratio > 1.0);
  }
  if (magnitudes.empty()) return 1.0;
  const auto ranks = doubled_ranks(magnitudes);
  std::size_t sum = 0;
  for (std::size_t i = 0; i < ranks.size(); ++i) sum += up[i] ? ranks[i] : 0;
  const auto chance = sum_distribution(ranks);
  const std::size_t smaller = std::min(sum, chance.size() - 1 - sum);  // the distribution is symmetric
  const auto end = chance.begin() + static_cast<std::ptrdiff_t>(smaller) + 1;
  return std::min(1.0, 2.0 * std::accumulate(chance.begin(), end, 0.0));
}

std::vector<double> holm_adjusted(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return p[i]; });
  std::vector<double> adjusted(p.size());
  double largest = 0.0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    largest = std::max(largest, p[order[k]] * static_cast<double>(order.size() - k));
    adjusted[order[k]] = std::min(1.0, largest);
  }
  return adjusted;
}

}  // namespace results
