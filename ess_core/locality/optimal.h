// The fewest misses that any eviction policy can reach, by knowing the future (Belady, IBM Systems Journal
// 5(2), 1966), under the pool's own rules: hits are judged against the pool as the step found it, and all
// rows of a step, new tokens included, are in the pool after it. Only victims are free to choose: the rows,
// not of this step, whose next use is farthest away.
#pragma once

#include "ess_core/locality/replay.h"

namespace ess {

// Misses of a pool that starts empty, summed over the counted steps. `pool_rows` must hold the rows of the
// largest step (miss_curve::smallest_pool). Victims are chosen for the whole trace, skipped steps included.
[[nodiscard]] std::int64_t optimal_misses(const index_trace& trace, std::int32_t layer,
                                          std::int64_t pool_rows, const replay_options& options = {});

}  // namespace ess
