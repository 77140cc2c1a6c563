// Small random traces with some locality, so that every pool size sees hits and misses.
#pragma once

#include <algorithm>
#include <random>
#include <set>

#include "ess_core/locality/index_trace.h"

namespace ess {

inline std::vector<token_id> random_selection(std::mt19937& rng, token_id newest, std::int32_t top_k) {
  std::set<token_id> chosen;
  const auto visible = static_cast<unsigned>(newest) + 1;
  for (std::int32_t i = 0; i < top_k; ++i) {
    const unsigned hot = std::max(1u, visible / 4);
    const auto id = rng() % 3 == 0 ? rng() % visible : visible - 1 - rng() % hot;
    chosen.insert(static_cast<token_id>(id));
  }
  std::vector<token_id> out(chosen.begin(), chosen.end());
  out.resize(static_cast<std::size_t>(top_k), -1);
  return out;
}

inline index_trace random_trace(unsigned seed, const trace_shape& shape) {
  std::mt19937 rng(seed);
  index_trace trace(shape);
  for (std::int32_t step = 0; step < shape.steps; ++step) {
    for (std::int32_t layer = 0; layer < shape.layers; ++layer) {
      std::ranges::copy(random_selection(rng, shape.first_token + step, shape.top_k),
                        trace.selected(step, layer).begin());
    }
  }
  return trace;
}

}  // namespace ess
