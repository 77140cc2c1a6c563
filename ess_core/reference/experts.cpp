#include "ess_core/reference/experts.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <functional>

#include "ess_core/reference/linear.h"

namespace ess::reference {
namespace {

// Numbers of the `count` largest values, largest first.
std::vector<std::int32_t> largest(const std::vector<double>& values, int count) {
  std::vector<std::int32_t> order(values.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int32_t>(i);
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](std::int32_t i) { return values[static_cast<std::size_t>(i)]; });
  order.resize(static_cast<std::size_t>(count));
  return order;
}

double sum_of_two_best(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted, std::greater<>());
  return sorted.size() > 1 ? sorted[0] + sorted[1] : sorted[0];
}

}  // namespace

std::vector<double> router_scores(std::span<const float> router, std::span<const float> x) {
  std::vector<double> scores = matrix_vector(router, x);
  for (double& s : scores) s = 1.0 / (1.0 + std::exp(-s));
  return scores;
}

std::vector<weighed_expert> choose_experts(std::span<const float> scores, std::span<const float> bias,
                                           const moe_dims& moe) {
  assert(scores.size() == bias.size() && scores.size() % static_cast<std::size_t>(moe.groups) == 0);
  std::vector<double> biased(scores.size());
  for (std::size_t e = 0; e < biased.size(); ++e) biased[e] = double{scores[e]} + double{bias[e]};
  const std::size_t size = biased.size() / static_cast<std::size_t>(moe.groups);
  std::vector<double> of_group;
  for (std::size_t first = 0; first < biased.size(); first += size) {
    of_group.push_back(sum_of_two_best(std::span(biased).subspan(first, size)));
  }
  const std::vector<std::int32_t> kept = largest(of_group, moe.top_groups);
  for (std::size_t e = 0; e < biased.size(); ++e) {
    const bool stays = std::ranges::find(kept, static_cast<std::int32_t>(e / size)) != kept.end();
    if (!stays) biased[e] = -INFINITY;
  }
  std::vector<std::int32_t> chosen = largest(biased, moe.top_k);
  std::ranges::sort(chosen);
  double sum = 0;
  for (const std::int32_t e : chosen) sum += scores[static_cast<std::size_t>(e)];
  std::vector<weighed_expert> out;
  for (const std::int32_t e : chosen) {
    out.push_back({e, scores[static_cast<std::size_t>(e)] / sum * moe.routed_scale});
  }
  return out;
}

std::vector<grouped_row> group_by_expert(std::span<const std::vector<std::int32_t>> choices,
                                         const moe_dims& moe) {
  std::vector<grouped_row> out;
  const std::int32_t last = moe.shared_experts > 0 ? moe.experts : moe.experts - 1;
  for (std::int32_t expert = 0; expert <= last; ++expert) {
    for (std::size_t lane = 0; lane < choices.size(); ++lane) {
      const bool chosen =
          expert == moe.experts || std::ranges::find(choices[lane], expert) != choices[lane].end();
      if (chosen) out.push_back({expert, static_cast<std::int32_t>(lane)});
    }
  }
  return out;
}

std::vector<double> combine(std::span<const double> weights, std::span<const std::vector<double>> outputs) {
  assert(weights.size() == outputs.size() && !outputs.empty());
  std::vector<double> sum(outputs.front().size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    for (std::size_t d = 0; d < sum.size(); ++d) sum[d] += weights[i] * outputs[i][d];
  }
  return sum;
}

}  // namespace ess::reference
