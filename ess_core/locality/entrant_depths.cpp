#include "ess_core/locality/entrant_depths.h"

#include <algorithm>

namespace ess {
namespace {

constexpr double one = 4294967296.0;  // 2^32

}  // namespace

entrant_depths::entrant_depths(const entrant_rates& rates, double steepness, std::int32_t top_k,
                               token_id context)
    : context_(context), scattered_(rates.scattered) {
  const auto outside = static_cast<std::uint64_t>(std::max(context - top_k, 0));
  for (std::size_t i = 0; i <= cells; ++i) depth_[i] = outside * (i * i) / (cells * cells);
  for (std::size_t i = 1; i < cells; ++i) {
    if (depth_[i] == 0) continue;
    const double gap = gap_to_cut(static_cast<double>(top_k + depth_[i]), top_k, context);
    neighbours_[i] = static_cast<std::uint64_t>(rates.neighbours * (1 - share_deeper(gap, steepness)) * one);
  }
  neighbours_[cells] = static_cast<std::uint64_t>(rates.neighbours * one);
}

// Systematic sampling: the i-th entrant lies where the expected number of entrants above reaches i plus a
// draw from [0, 1). So their number has the right mean and hardly varies, and all depths come in one pass.
void entrant_depths::draw(step_draws& draws, std::size_t outside, double scattered_factor,
                          std::vector<std::uint32_t>& out) const {
  out.clear();
  if (outside == 0) return;
  const auto scattered_per_row =
      static_cast<std::uint64_t>(scattered_ * scattered_factor * one / static_cast<double>(outside));
  const auto depth = [&](std::size_t cell) {
    return cell == cells ? outside : std::min<std::uint64_t>(depth_[cell], outside);
  };
  const auto expected = [&](std::size_t cell) { return neighbours_[cell] + scattered_per_row * depth(cell); };
  std::size_t cell = 0;
  std::uint64_t next_free = 0;
  for (std::uint64_t i = 0;; ++i) {
    const std::uint64_t wanted = (i << 32) + draws.next();
    while (cell < cells && expected(cell + 1) <= wanted) ++cell;
    if (cell == cells) return;
    const std::uint64_t above = expected(cell);
    const std::uint64_t at =
        depth(cell) + (wanted - above) * (depth(cell + 1) - depth(cell)) / (expected(cell + 1) - above);
    next_free = std::max(next_free, at);
    if (next_free >= outside) return;
    out.push_back(static_cast<std::uint32_t>(next_free++));
  }
}

}  // namespace ess
