// The largest batch whose step stays within a limit.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace harness {

struct tried_batch {
  int batch = 0;
  std::optional<double> step_us;  // nothing: the batch is beyond what can be simulated
};

enum class batch_bound : std::uint8_t {
  largest,      // the most that may be tried
  step_limit,   // the next batch takes too long
  beyond_model  // the next batch cannot be simulated
};

struct batch_search {
  std::vector<tried_batch> tried;  // by batch
  std::optional<int> best;         // tokens a second are highest with it; nothing if no batch is in the limit
  batch_bound bound = batch_bound::largest;
};

using step_time = std::function<std::optional<double>(int batch)>;

// Tries `largest` first, then bisects in the expectation that a step takes the longer the larger its batch
// is, which need not hold everywhere. Each batch is asked for once. largest >= 1.
[[nodiscard]] batch_search find_batch(int largest, double limit_us, const step_time& of);

// Pairs of neighbours among those tried of which the larger batch takes less time.
[[nodiscard]] int inversions(const std::vector<tried_batch>& tried);

}  // namespace harness
