#include "ess_core/locality/miss_curve.h"

#include "ess_core/cache/owned_pool.h"
#include "ess_core/locality/tests/random_trace.h"

namespace ess {
namespace {

// The real pool of `slots` slots, stepped through a layer of a trace.
class real_pool {
 public:
  real_pool(std::size_t tokens, std::size_t slots) : pool_(pool_kind::lru, tokens, slots) {}

  struct counts {
    std::int64_t asked = 0;
    std::int64_t missed = 0;
  };

  counts run(const index_trace& trace, std::int32_t layer, const replay_options& options) {
    counts sum;
    const std::int32_t queries = options.query_tokens;
    for (std::int32_t step = 0; step < trace.shape.steps / queries; ++step) {
      std::vector<token_id> ids;
      for (std::int32_t q = 0; q < queries; ++q) {
        const auto selected = trace.selected(step * queries + q, layer);
        ids.insert(ids.end(), selected.begin(), selected.end());
      }
      const resolve_output out = resolve_step(ids, trace.shape.first_token + step * queries, queries);
      if (step < options.skip_steps) continue;
      sum.asked += out.asked;
      sum.missed += out.missed;
    }
    return sum;
  }

 private:
  resolve_output resolve_step(const std::vector<token_id>& ids, token_id first_new, std::int32_t queries) {
    std::vector<row_location> where(ids.size());
    std::vector<row_miss> misses(ids.size());
    resolve_output out{.locations = where, .misses = misses};
    resolve(pool_.view(),
            {.selected = ids, .query_tokens = queries, .first_new = first_new, .new_tokens = queries}, out);
    return out;
  }

  owned_pool pool_;
};

TEST(miss_curve, equals_the_real_pool_at_every_size_on_random_traces) {
  std::int64_t compared = 0;
  for (unsigned seed = 0; seed < 120; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 rng(seed);
    const trace_shape shape{.steps = static_cast<std::int32_t>(20 + rng() % 200),
                            .layers = 2,
                            .top_k = static_cast<std::int32_t>(1 + rng() % 12),
                            .first_token = static_cast<token_id>(rng() % 150)};
    const index_trace trace = random_trace(seed, shape);
    const replay_options options{.query_tokens = static_cast<std::int32_t>(1 + rng() % 4),
                                 .skip_steps = static_cast<std::int32_t>(rng() % 5)};
    const miss_curve curve = lru_miss_curve(trace, 1, options);
    const std::int64_t sizes = curve.smallest_pool + 1 + static_cast<std::int64_t>(rng() % 9);
    for (std::int64_t size = curve.smallest_pool; size <= shape.final_tokens() + sizes; size += sizes / 2) {
      real_pool pool(static_cast<std::size_t>(shape.final_tokens()), static_cast<std::size_t>(size));
      const real_pool::counts want = pool.run(trace, 1, options);
      ASSERT_EQ(curve.misses(size), want.missed) << "pool of " << size;
      ASSERT_EQ(curve.asked, want.asked);
      ++compared;
    }
  }
  EXPECT_GT(compared, 1'000);
}

TEST(miss_curve, falls_with_the_pool_to_the_rows_never_used_before) {
  const trace_shape shape{.steps = 300, .layers = 1, .top_k = 16, .first_token = 200};
  const miss_curve curve = lru_miss_curve(random_trace(3, shape), 0, {.skip_steps = 10});
  EXPECT_EQ(curve.steps, 290);
  for (std::int64_t size = curve.smallest_pool; size < shape.final_tokens(); ++size) {
    ASSERT_GE(curve.misses(size), curve.misses(size + 1));
  }
  EXPECT_GT(curve.misses(curve.smallest_pool), curve.misses(shape.final_tokens()));
  EXPECT_EQ(curve.misses(shape.final_tokens()), curve.never);
}

TEST(miss_curve, says_nothing_of_a_pool_smaller_than_a_step) {
  const miss_curve curve =
      lru_miss_curve(random_trace(3, {.steps = 9, .layers = 1, .top_k = 8, .first_token = 99}), 0);
  EXPECT_THROW((void)curve.misses(curve.smallest_pool - 1), std::logic_error);
}

TEST(miss_curve, drops_query_tokens_that_make_no_whole_step) {
  const trace_shape shape{.steps = 11, .layers = 1, .top_k = 4, .first_token = 40};
  EXPECT_EQ(lru_miss_curve(random_trace(5, shape), 0, {.query_tokens = 4}).steps, 2);
}

}  // namespace
}  // namespace ess
