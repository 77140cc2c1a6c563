// How alike neighbouring selections are.
#pragma once

#include "ess_core/locality/replay.h"

namespace ess {

// Mean of |K(t-1) and K(t)| / |K(t)| over the query tokens of one layer from trace step `from` (at least 1)
// on: the "similarity" of arXiv 2512.10576. 0 where there is no such step.
[[nodiscard]] double mean_step_overlap(const index_trace& trace, std::int32_t layer, std::int32_t from = 1);

}  // namespace ess
