// A trace replayed by the real pool (ess_core/cache/sparse_pool.h): misses of any policy at any size, those
// included at which rows of a step go to staging.
#pragma once

#include <optional>

#include "ess_core/locality/miss_curve.h"
#include "ess_core/step/pool_kind.h"

namespace ess {

// Whether a trace says enough for the policy: score_aware needs the indexer's scores.
[[nodiscard]] bool can_replay(pool_kind policy);

// Misses of a pool that starts empty, summed over the counted steps. `random` draws from seed 0. Throws
// std::invalid_argument for a policy that cannot be replayed and for pool_rows outside [1, max_pool_slots].
[[nodiscard]] std::int64_t replay_misses(const index_trace& trace, std::int32_t layer, pool_kind policy,
                                         std::int64_t pool_rows, const replay_options& options = {});

// LRU misses at any size: from `curve`, which is that of the layer under the options, or replayed where a
// step's rows exceed the pool. Nothing where that pool has more rows than the real one can have.
[[nodiscard]] std::optional<std::int64_t> lru_misses(const miss_curve& curve, const index_trace& trace,
                                                     std::int32_t layer, std::int64_t pool_rows,
                                                     const replay_options& options = {});

}  // namespace ess
