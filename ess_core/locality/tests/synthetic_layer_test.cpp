#include "ess_core/locality/synthetic_layer.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "ess_core/locality/miss_curve.h"
#include "ess_core/locality/step_overlap.h"
#include "ess_core/locality/synthetic_trace.h"

namespace ess {
namespace {

constexpr stream_locality steady{.burst_length = 0};

synthetic_request small(const layer_locality& layer, std::int32_t steps = 300) {
  return {.stream = steady, .layers = {layer}, .top_k = 256, .context = 4'096, .steps = steps};
}

index_trace made(const synthetic_request& request) {
  auto trace = synthesize(request);
  if (!trace) throw std::runtime_error(trace.error().what);
  return *std::move(trace);
}

// Rows of the selection at `position`, counted from the first token of the trace.
std::span<const token_id> selection_at(const index_trace& trace, token_id position) {
  return trace.selected(position - trace.shape.first_token, 0);
}

bool has(std::span<const token_id> ids, token_id id) { return std::ranges::binary_search(ids, id); }

// Per step from step `skip` on.
double misses(const index_trace& trace, std::int64_t pool_rows, std::int32_t skip) {
  const miss_curve curve = lru_miss_curve(trace, 0, {.skip_steps = skip});
  return static_cast<double>(curve.misses(pool_rows)) / curve.steps;
}

TEST(synthetic_layer, selections_are_full_ascend_and_see_no_later_token) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    const counter_rng rng(seed, purpose::microbenchmark);
    auto within = [&, drawn = std::uint64_t{0}](double lowest, double highest) mutable {
      return lowest + (highest - lowest) * rng.uniform(drawn++);
    };
    const layer_locality layer{.overlap = within(0, 1),
                               .scattered = within(0, 0.15),
                               .steepness = within(0.1, 15),
                               .position_relative = seed % 3 == 0};
    const synthetic_request request{.stream = {.sinks = static_cast<std::int32_t>(within(0, 6)),
                                               .recent = static_cast<std::int32_t>(within(2, 20))},
                                    .layers = {layer},
                                    .top_k = static_cast<std::int32_t>(within(80, 300)),
                                    .context = static_cast<token_id>(within(30, 6'000)),
                                    .steps = 400,
                                    .seed = seed};
    const index_trace trace = made(request);
    const auto fine = check_ids(trace);
    ASSERT_TRUE(fine) << fine.error().what;
    for (std::int32_t step = lead_in_steps(request); step < trace.shape.steps; ++step) {
      const auto ids = trace.selected(step, 0);
      const std::int32_t tokens = trace.shape.first_token + step + 1;
      ASSERT_EQ(std::ranges::count(ids, token_id{-1}), std::max(0, request.top_k - tokens)) << step;
    }
  }
}

TEST(synthetic_layer, always_selects_sinks_and_recent_rows) {
  const synthetic_request request = small({.overlap = 0.3});
  const index_trace trace = made(request);
  for (token_id position = request.context; position < trace.shape.final_tokens(); ++position) {
    const auto ids = selection_at(trace, position);
    for (token_id sink = 0; sink < request.stream.sinks; ++sink) ASSERT_TRUE(has(ids, sink));
    for (token_id back = 0; back < request.stream.recent; ++back) ASSERT_TRUE(has(ids, position - back));
  }
}

TEST(synthetic_layer, overlap_is_what_was_asked_for_whatever_the_misses) {
  for (const double overlap : {0.2, 0.45, 0.7, 0.95}) {
    for (const double scattered : {0.0, 0.04}) {
      const synthetic_request request = small({.overlap = overlap, .scattered = scattered, .steepness = 3});
      const double measured = mean_step_overlap(made(request), 0, lead_in_steps(request));
      EXPECT_NEAR(measured, overlap, 0.003) << scattered;
    }
  }
}

TEST(synthetic_layer, scattered_rows_miss_by_the_share_of_rows_that_a_pool_lacks) {
  const synthetic_request request = small({.overlap = 0.6, .scattered = 0.05, .steepness = 12}, 400);
  const index_trace trace = made(request);
  const double tokens = request.context + 200;  // in the middle
  for (const std::int64_t pool : {1'500, 2'500, 3'500}) {
    const double lacking = (tokens - static_cast<double>(pool)) / (tokens - 256);
    EXPECT_NEAR(misses(trace, pool, lead_in_steps(request)), 0.05 * 256 * lacking, 0.4) << pool;
  }
}

TEST(synthetic_layer, neighbours_of_the_cut_lie_as_deep_as_asked) {
  const synthetic_request request = small({.overlap = 0.5, .scattered = 0.0, .steepness = 3}, 400);
  const index_trace trace = made(request);
  for (const std::int64_t pool : {700, 1'000, 1'500}) {
    const double gap = gap_to_cut(static_cast<double>(pool), 256, request.context + 200);
    const double want = rates_of(request.layers[0], request.stream, 256).neighbours * share_deeper(gap, 3);
    EXPECT_NEAR(misses(trace, pool, lead_in_steps(request)), want, 0.04 * want + 0.1) << pool;
  }
}

// K_t = {t - 1 - 2j} beyond the recent rows: two neighbouring selections share next to nothing, and yet an
// LRU pool of 2k + 1 rows has them both.
TEST(synthetic_layer, position_relative_rows_follow_the_query) {
  const synthetic_request request = small({.overlap = 0.1, .scattered = 0.0, .position_relative = true});
  const index_trace trace = made(request);
  const std::int32_t positional = rates_of(request.layers[0], request.stream, 256).positional;
  ASSERT_GT(positional, 200);
  for (token_id position = request.context; position < trace.shape.final_tokens(); ++position) {
    const auto ids = selection_at(trace, position);
    for (token_id j = 0; j < positional; ++j)
      ASSERT_TRUE(has(ids, position - request.stream.recent - 1 - 2 * j));
  }
  EXPECT_NEAR(mean_step_overlap(trace, 0, lead_in_steps(request)), 0.1, 0.004);
  const replay_options options{.skip_steps = lead_in_steps(request)};
  EXPECT_EQ(lru_miss_curve(trace, 0, options).misses(2 * 256 + 1), 0);
}

TEST(synthetic_layer, new_tokens_join_as_the_context_grows) {
  const synthetic_request request{
      .stream = steady, .layers = {{.overlap = 0.7}}, .top_k = 128, .context = 40, .steps = 3'000};
  const index_trace trace = made(request);
  for (token_id position = 40; position < 128; ++position) {  // all there is
    const auto ids = selection_at(trace, position);
    for (token_id token = 0; token <= position; ++token)
      ASSERT_EQ(ids[static_cast<std::size_t>(token)], token);
  }
  std::set<token_id> late;
  for (token_id position = 2'500; position < trace.shape.final_tokens(); ++position) {
    const auto ids = selection_at(trace, position);
    late.insert(ids.begin(), ids.end());
  }
  EXPECT_GT(std::ranges::count_if(late, [](token_id id) { return id >= 1'000 && id < 2'500; }), 600);
}

TEST(synthetic_layer, bursts_come_once_a_period_for_all_layers_and_leave_the_mean) {
  synthetic_request request = small({.overlap = 0.6, .scattered = 0.05, .steepness = 12}, 64 * 20);
  request.layers.push_back({.overlap = 0.4, .scattered = 0.05, .steepness = 12});
  request.stream = {.burst_every = 64, .burst_length = 4, .burst_factor = 5};
  const index_trace trace = made(request);
  for (std::int32_t layer = 0; layer < 2; ++layer) {
    const double overlap = request.layers[static_cast<std::size_t>(layer)].overlap;
    EXPECT_NEAR(mean_step_overlap(trace, layer, lead_in_steps(request)), overlap, 0.003);
  }
  std::vector<std::int32_t> low[2];
  for (std::int32_t step = lead_in_steps(request); step < trace.shape.steps; ++step) {
    for (const std::int32_t layer : {0, 1}) {
      std::vector<token_id> both;
      std::ranges::set_intersection(trace.selected(step - 1, layer), trace.selected(step, layer),
                                    std::back_inserter(both));
      // A burst draws 5 x 12.8 scattered rows, any other step 12.8 x 44 / 60.
      const double mean = request.layers[static_cast<std::size_t>(layer)].overlap * 256;
      if (static_cast<double>(both.size()) < mean - 25) low[layer].push_back(step + trace.shape.first_token);
    }
  }
  EXPECT_EQ(low[0].size(), 4u * 20);
  EXPECT_EQ(low[0], low[1]);
}

TEST(synthetic_layer, the_lead_in_uses_every_row_so_that_no_pool_is_cold) {
  for (const bool position_relative : {false, true}) {
    const synthetic_request request =
        small({.overlap = 0.2, .scattered = 0.05, .position_relative = position_relative}, 100);
    const index_trace trace = made(request);
    const replay_options options{.skip_steps = lead_in_steps(request)};
    EXPECT_EQ(lru_miss_curve(trace, 0, options).never, 0);
  }
}

// What the lead-in stands for: an LRU pool misses as many rows as after a long decode from a cold start.
TEST(synthetic_layer, the_lead_in_is_worth_a_long_decode) {
  synthetic_request request = small({.overlap = 0.5, .scattered = 0.05, .steepness = 4}, 500);
  const double warm = misses(made(request), 1'200, lead_in_steps(request));
  request.start = lead_in::none;
  const double cold = misses(made(request), 1'200, 0);
  request.context -= 1'000;
  request.steps += 1'000;
  const double after_decode = misses(made(request), 1'200, 1'000);
  EXPECT_NEAR(warm, after_decode, 0.02 * after_decode);
  EXPECT_GT(cold, 1.05 * after_decode);
}

std::vector<token_id> next(synthetic_layer& layer) {
  std::vector<token_id> ids(256, -2);
  layer.next(ids);
  return ids;
}

synthetic_layer layer_of(const layer_locality& locality, const stream_locality& stream = steady) {
  return {locality, stream, 256, 4'096, 1, 0};
}

TEST(synthetic_layer, tokens_in_the_place_of_rejected_ones_see_no_later_token) {
  for (const bool position_relative : {false, true}) {
    for (const std::int32_t recent : {2, 3, 16}) {
      stream_locality stream = steady;
      stream.recent = recent;
      synthetic_layer layer = layer_of({.overlap = 0.5, .position_relative = position_relative}, stream);
      for (token_id position = 4'096; position < 4'400; ++position) {
        for (token_id draft = 0; draft < 3; ++draft) (void)next(layer);
        layer.retract(3);
        EXPECT_EQ(layer.tokens(), position);
        const std::vector<token_id> ids = next(layer);
        const auto end = std::ranges::find(ids, -1);
        ASSERT_GE(end - ids.begin(), 256 - 2);  // what two drafts beyond it have pushed out
        ASSERT_EQ(std::ranges::adjacent_find(ids.begin(), end, std::greater_equal<>()), end) << position;
        ASSERT_EQ(*(end - 1), position);
        for (token_id back = 0; back < recent; ++back)
          ASSERT_TRUE(std::binary_search(ids.begin(), end, position - back));
      }
    }
  }
}

TEST(synthetic_layer, selections_are_whole_again_beyond_the_rejected_tokens) {
  for (const bool position_relative : {false, true}) {
    synthetic_layer layer = layer_of({.overlap = 0.5, .position_relative = position_relative});
    for (int drafts = 0; drafts < 3; ++drafts) (void)next(layer);
    layer.retract(3);
    for (int drafts = 0; drafts < 3; ++drafts) (void)next(layer);
    for (int token = 0; token < 50; ++token) EXPECT_EQ(std::ranges::count(next(layer), -1), 0);
  }
}

TEST(synthetic_layer, without_a_retraction_there_is_nothing_to_see_of_it) {
  synthetic_layer one = layer_of({.overlap = 0.5}), other = layer_of({.overlap = 0.5});
  for (int token = 0; token < 50; ++token) {
    one.retract(0);
    EXPECT_EQ(next(one), next(other));
  }
}

}  // namespace
}  // namespace ess
