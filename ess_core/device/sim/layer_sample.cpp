#include "ess_core/device/sim/layer_sample.h"

#include <algorithm>
#include <numeric>

namespace ess::sim {
namespace {

// Grows with the misses of a pool that is a fifth of a context of 32K tokens, which serves for an order.
double expected_misses(const layer_locality& l) {
  constexpr std::int32_t top_k = 2048;
  constexpr double context = 32'768, pool = 6'554;
  const entrant_rates rates = rates_of(l, {}, top_k);
  return rates.neighbours * share_deeper(gap_to_cut(pool, top_k, context), l.steepness) +
         rates.scattered * (context - pool) / (context - top_k);
}

}  // namespace

std::vector<std::int32_t> layers_that_stand_for(std::span<const layer_locality> localities,
                                                std::int32_t layers, std::int32_t followed) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(layers));
  std::iota(order.begin(), order.end(), 0);
  if (followed == 0 || followed >= layers) return order;
  const auto of = [&](std::int32_t layer) {
    return expected_misses(localities[std::min(static_cast<std::size_t>(layer), localities.size() - 1)]);
  };
  std::ranges::stable_sort(order, {}, of);
  std::vector<std::int32_t> out(order.size());
  for (std::int32_t stretch = 0; stretch < followed; ++stretch) {
    const auto from = static_cast<std::size_t>(std::int64_t{layers} * stretch / followed);
    const auto to = static_cast<std::size_t>(std::int64_t{layers} * (stretch + 1) / followed);
    for (std::size_t i = from; i < to; ++i)
      out[static_cast<std::size_t>(order[i])] = order[from + (to - from) / 2];
  }
  return out;
}

}  // namespace ess::sim
