#include "ess_core/locality/pool_replay.h"

#include <stdexcept>

#include "ess_core/cache/tests/naive_pool.h"
#include "ess_core/locality/miss_curve.h"
#include "ess_core/locality/optimal.h"
#include "ess_core/locality/tests/random_trace.h"

namespace ess {
namespace {

constexpr pool_kind policies[] = {pool_kind::lru, pool_kind::fifo, pool_kind::random, pool_kind::clock,
                                  pool_kind::sieve};

std::int64_t naive_misses(const index_trace& trace, pool_kind policy, std::size_t rows,
                          const replay_options& options) {
  const auto pool = test::make_naive_policy(policy, counter_rng(0, purpose::eviction), 0);
  std::int64_t misses = 0;
  for (std::int32_t step = 0; step < trace.shape.steps / options.query_tokens; ++step) {
    std::vector<token_id> ids;
    for (std::int32_t q = 0; q < options.query_tokens; ++q) {
      const auto selected = trace.selected(step * options.query_tokens + q, 0);
      ids.insert(ids.end(), selected.begin(), selected.end());
    }
    const auto result = test::naive_step(*pool, rows,
                                         {.selected = ids,
                                          .query_tokens = options.query_tokens,
                                          .first_new = trace.shape.first_token + step * options.query_tokens,
                                          .new_tokens = options.query_tokens});
    if (step >= options.skip_steps) misses += static_cast<std::int64_t>(result.missed.size());
  }
  return misses;
}

TEST(pool_replay, misses_what_the_policy_as_it_is_defined_misses) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const index_trace trace = random_trace(seed, {.steps = 60, .layers = 1, .top_k = 9, .first_token = 80});
    const replay_options options{.query_tokens = static_cast<std::int32_t>(1 + seed % 3), .skip_steps = 4};
    for (const pool_kind policy : policies) {
      for (const std::int64_t rows : {4, 25, 40, 139}) {  // the first stages rows, the last holds all
        ASSERT_EQ(replay_misses(trace, 0, policy, rows, options),
                  naive_misses(trace, policy, static_cast<std::size_t>(rows), options))
            << to_string(policy) << " with " << rows;
      }
    }
  }
}

TEST(pool_replay, no_policy_beats_the_optimum) {
  const index_trace trace = random_trace(1, {.steps = 200, .layers = 1, .top_k = 16, .first_token = 300});
  for (const std::int64_t rows : {20, 60, 200}) {
    for (const pool_kind policy : policies) {
      EXPECT_GE(replay_misses(trace, 0, policy, rows), optimal_misses(trace, 0, rows)) << to_string(policy);
    }
    EXPECT_EQ(replay_misses(trace, 0, pool_kind::lru, rows), lru_miss_curve(trace, 0).misses(rows));
  }
}

TEST(pool_replay, goes_on_where_the_miss_curve_ends) {
  const index_trace trace = random_trace(2, {.steps = 80, .layers = 1, .top_k = 12, .first_token = 90});
  const replay_options options{.query_tokens = 2, .skip_steps = 3};
  const miss_curve curve = lru_miss_curve(trace, 0, options);
  for (std::int64_t rows = 2; rows < curve.smallest_pool + 3; ++rows) {
    EXPECT_EQ(lru_misses(curve, trace, 0, rows, options),
              replay_misses(trace, 0, pool_kind::lru, rows, options));
  }
}

TEST(pool_replay, refuses_what_a_trace_cannot_say_and_pools_that_cannot_be) {
  const index_trace trace = random_trace(1, {.steps = 4, .layers = 1, .top_k = 4, .first_token = 30});
  EXPECT_FALSE(can_replay(pool_kind::score_aware));
  EXPECT_FALSE(can_replay(pool_kind::none));
  EXPECT_THROW((void)replay_misses(trace, 0, pool_kind::score_aware, 10), std::invalid_argument);
  EXPECT_THROW((void)replay_misses(trace, 0, pool_kind::lru, 0), std::invalid_argument);
  EXPECT_THROW((void)replay_misses(trace, 0, pool_kind::lru, 70'000), std::invalid_argument);
}

}  // namespace
}  // namespace ess
