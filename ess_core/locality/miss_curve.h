// Misses of the sparse memory pool (ess_core/cache/sparse_pool.h) for every pool size in one pass over a
// trace.
//
// After a step a pool of C slots holds the C most recently used rows, ordered by (step, query token, rank).
// So a row hits exactly if at the beginning of the step fewer than C rows were used more recently: its stack
// distance (Mattson et al., IBM Systems Journal 9(2), 1970), which does not depend on C.
#pragma once

#include "ess_core/locality/replay.h"

namespace ess {

class miss_curve {
 public:
  std::int32_t steps = 0;          // decode steps counted
  std::int64_t asked = 0;          // distinct rows of each step, summed
  std::int64_t never = 0;          // of them, first uses: they miss in a pool of any size
  std::int64_t smallest_pool = 0;  // rows of the largest step, new tokens included

  // Misses of a pool that starts empty, summed over the counted steps. Only for pool_rows >= smallest_pool: a
  // smaller pool leaves rows of the step in staging, and what it holds is no longer the head of the use
  // order.
  [[nodiscard]] std::int64_t misses(std::int64_t pool_rows) const;

  // The final context: more rows save nothing.
  [[nodiscard]] std::int64_t largest_pool() const { return static_cast<std::int64_t>(deeper_.size()) - 1; }

 private:
  friend miss_curve lru_miss_curve(const index_trace& trace, std::int32_t layer,
                                   const replay_options& options);

  std::vector<std::int64_t> deeper_;  // [C] uses of rows with a stack distance above C
};

// The pool is empty before the first step of the trace.
[[nodiscard]] miss_curve lru_miss_curve(const index_trace& trace, std::int32_t layer,
                                        const replay_options& options = {});

}  // namespace ess
