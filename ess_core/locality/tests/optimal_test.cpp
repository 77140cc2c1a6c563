#include "ess_core/locality/optimal.h"

#include <bit>
#include <limits>
#include <map>

#include "ess_core/locality/miss_curve.h"
#include "ess_core/locality/tests/random_trace.h"

namespace ess {
namespace {

// Tries every choice of victims. Pools are sets of at most 32 tokens, as bits.
class brute_force {
 public:
  brute_force(const layer_replay& replay, int rows) : replay_(replay), rows_(rows) {}

  std::int64_t best_from(std::int32_t step, std::uint32_t pool) {
    if (step == replay_.steps()) return 0;
    const auto [known, is_new] = best_.try_emplace({step, pool}, 0);
    if (!is_new) return known->second;
    std::uint32_t fresh = 0;
    std::uint32_t asked = 0;
    for (std::int32_t q = 0; q < replay_.query_tokens(); ++q) {
      fresh |= 1u << (replay_.first_new(step) + q);
      for (const token_id token : replay_.selected(step, q)) asked |= 1u << token;
    }
    const std::uint32_t stay = asked | fresh;
    std::int64_t best = std::numeric_limits<std::int64_t>::max();
    const std::uint32_t old = pool & ~stay;
    for (std::uint32_t kept = old;; kept = (kept - 1) & old) {
      if (std::popcount(kept | stay) <= rows_) best = std::min(best, best_from(step + 1, kept | stay));
      if (kept == 0) break;
    }
    return best_[{step, pool}] = best + std::popcount(asked & ~fresh & ~pool);
  }

 private:
  const layer_replay& replay_;
  int rows_;
  std::map<std::pair<std::int32_t, std::uint32_t>, std::int64_t> best_;
};

TEST(optimal, equals_every_choice_tried_on_tiny_traces) {
  std::int64_t below_lru = 0;
  for (unsigned seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 rng(seed);
    const replay_options options{.query_tokens = static_cast<std::int32_t>(1 + rng() % 2)};
    const trace_shape shape{.steps = static_cast<std::int32_t>(8 + rng() % 5),
                            .layers = 1,
                            .top_k = static_cast<std::int32_t>(1 + rng() % 3),
                            .first_token = static_cast<token_id>(6 + rng() % 6)};
    const index_trace trace = random_trace(seed, shape);
    const miss_curve lru = lru_miss_curve(trace, 0, options);
    for (std::int64_t rows = lru.smallest_pool; rows < lru.smallest_pool + 4; ++rows) {
      const layer_replay replay(trace, 0, options.query_tokens);
      const std::int64_t want = brute_force(replay, static_cast<int>(rows)).best_from(0, 0);
      ASSERT_EQ(optimal_misses(trace, 0, rows, options), want) << "pool of " << rows;
      ASSERT_LE(want, lru.misses(rows));
      below_lru += want < lru.misses(rows) ? 1 : 0;
    }
  }
  EXPECT_GT(below_lru, 50);
}

TEST(optimal, equals_lru_where_everything_fits_and_counts_from_where_asked) {
  const index_trace trace = random_trace(9, {.steps = 100, .layers = 2, .top_k = 8, .first_token = 120});
  for (const std::int32_t skip : {0, 20}) {
    const replay_options options{.query_tokens = 2, .skip_steps = skip};
    EXPECT_EQ(optimal_misses(trace, 1, 220, options), lru_miss_curve(trace, 1, options).misses(220));
  }
}

TEST(optimal, refuses_a_pool_smaller_than_a_step) {
  const index_trace trace = random_trace(9, {.steps = 10, .layers = 1, .top_k = 8, .first_token = 120});
  EXPECT_THROW((void)optimal_misses(trace, 0, 3), std::logic_error);
}

}  // namespace
}  // namespace ess
