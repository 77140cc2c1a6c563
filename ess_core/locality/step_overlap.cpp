#include "ess_core/locality/step_overlap.h"

namespace ess {
namespace {

// Both ascend.
std::size_t common(std::span<const token_id> a, std::span<const token_id> b) {
  std::size_t both = 0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    both += a[i] == b[j] ? 1 : 0;
    const bool next_a = a[i] <= b[j];
    const bool next_b = b[j] <= a[i];
    i += next_a ? 1 : 0;
    j += next_b ? 1 : 0;
  }
  return both;
}

}  // namespace

double mean_step_overlap(const index_trace& trace, std::int32_t layer, std::int32_t from) {
  const layer_replay replay(trace, layer, 1);
  double sum = 0.0;
  std::int32_t steps = 0;
  for (std::int32_t step = std::max(from, 1); step < replay.steps(); ++step) {
    const auto now = replay.selected(step, 0);
    if (now.empty()) continue;
    sum += static_cast<double>(common(replay.selected(step - 1, 0), now)) / static_cast<double>(now.size());
    ++steps;
  }
  return steps > 0 ? sum / steps : 0.0;
}

}  // namespace ess
