// The search on the simulator: four layers of the full-size model at a short context, so that it is quick.
#include "harness/capacity/capacity.h"

#include <algorithm>
#include <map>

namespace harness {
namespace {

using workloads::overlap_mode;
using workloads::system_kind;

const target& h200() {
  static const target on = target::parse("sim:h200_ep32").value();
  return on;
}

// The budget is what four layers leave for the caches of a few requests.
capacity_demand small_demand() {
  capacity_demand out{.space = {.systems = {system_kind::ess, system_kind::all_gpu},
                                .expert_ranks = {32},
                                .mtp_depths = {1, 2},
                                .ratios = {0.3, 0.5},
                                .pools = {pool_sizes::even},
                                .overlaps = {overlap_mode::da},
                                .two_batch_overlap = {false},
                                .draft_chance = 0.7},
                      .tpot_limit_ms = 50};
  out.base.model.preset = "deepseek_v3_2";
  out.base.model.layers = 4;
  out.base.context_tokens = 8192;
  out.base.steps = 4;
  out.base.device_budget_bytes = std::nullopt;
  out.base.device_budget_beyond_weights_bytes = 600'000'000;
  return out;
}

TEST(search_capacity, its_points_are_within_budget_and_consistent) {
  const capacity_demand demand = small_demand();
  const capacity_answer answer = search_capacity(demand, h200());
  EXPECT_EQ(answer.candidates, 2 * 2 + 2);
  EXPECT_EQ(answer.not_fitting, 0);
  ASSERT_FALSE(answer.best.empty());
  for (const capacity_point& point : answer.points) {
    EXPECT_DOUBLE_EQ(point.rates.tpot_ms * 1e3 * point.of.accept, point.steps.step_us);
    EXPECT_DOUBLE_EQ(point.rates.tokens_per_s_node, 8 * point.rates.tokens_per_s_gpu);
    EXPECT_EQ(point.bound.value_or(capacity_bound::device_memory), capacity_bound::device_memory)
        << "nothing else is scarce here";
  }
  for (const std::size_t i : answer.best) EXPECT_TRUE(answer.points[i].bound);
}

TEST(search_capacity, memory_lets_ess_have_more_requests_than_all_gpu) {
  const capacity_answer answer = search_capacity(small_demand(), h200());
  std::map<system_kind, int> largest;
  for (const capacity_point& point : answer.points)
    largest[point.of.system] = std::max(largest[point.of.system], point.batch);
  EXPECT_GT(largest[system_kind::ess], largest[system_kind::all_gpu]);
}

TEST(search_capacity, gives_the_same_answer_again) {
  const capacity_answer once = search_capacity(small_demand(), h200());
  const capacity_answer again = search_capacity(small_demand(), h200());
  ASSERT_EQ(once.points.size(), again.points.size());
  for (std::size_t i = 0; i < once.points.size(); ++i)
    EXPECT_EQ(once.points[i].steps.step_us, again.points[i].steps.step_us);
  EXPECT_EQ(once.best, again.best);
  EXPECT_EQ(once.front, again.front);
}

// The points before it share selections and pools with a point; that must not show.
TEST(search_capacity, a_point_is_as_if_it_were_simulated_alone) {
  const capacity_demand demand = small_demand();
  const capacity_answer answer = search_capacity(demand, h200());
  for (const std::size_t i : answer.best) {
    const capacity_point& point = answer.points[i];
    step_simulator alone(h200(), demand.base);
    const auto steps = alone.run(alone.settings_of(point.of).value(), point.batch);
    ASSERT_TRUE(steps);
    EXPECT_EQ(steps->step_us, point.steps.step_us);
    EXPECT_EQ(steps->hit_rate, point.steps.hit_rate);
  }
}

TEST(search_capacity, a_tight_limit_bounds_the_batch) {
  capacity_demand demand = small_demand();
  demand.space.mtp_depths = {2};
  const capacity_answer loose = search_capacity(demand, h200());
  const auto slowest =
      std::ranges::max_element(loose.points, {}, [](const capacity_point& p) { return p.rates.tpot_ms; });
  demand.tpot_limit_ms = (loose.lowest_tpot_ms + slowest->rates.tpot_ms) / 2;
  const capacity_answer tight = search_capacity(demand, h200());
  EXPECT_TRUE(std::ranges::any_of(tight.points,
                                  [](const capacity_point& p) { return p.bound == capacity_bound::tpot; }));
  for (const std::size_t i : tight.best) EXPECT_LE(tight.points[i].rates.tpot_ms, demand.tpot_limit_ms);
}

TEST(search_capacity, says_the_lowest_time_if_nothing_is_within_the_limit) {
  capacity_demand demand = small_demand();
  demand.tpot_limit_ms = 0.01;
  const capacity_answer answer = search_capacity(demand, h200());
  EXPECT_TRUE(answer.best.empty());
  EXPECT_GT(answer.lowest_tpot_ms, demand.tpot_limit_ms);
}

TEST(search_capacity, host_memory_bounds_the_batch_too) {
  capacity_demand demand = small_demand();
  demand.space.systems = {system_kind::ess};
  demand.base.host_budget_bytes = 100'000'000;
  const capacity_answer answer = search_capacity(demand, h200());
  ASSERT_FALSE(answer.best.empty());
  for (const std::size_t i : answer.best) EXPECT_EQ(answer.points[i].bound, capacity_bound::host_memory);
}

TEST(search_capacity, counts_what_does_not_fit) {
  capacity_demand demand = small_demand();
  demand.base.device_budget_beyond_weights_bytes = 1000;
  const capacity_answer answer = search_capacity(demand, h200());
  EXPECT_EQ(answer.not_fitting, answer.candidates);
  EXPECT_TRUE(answer.points.empty());
}

TEST(layer_shares, split_pools_miss_less_in_the_same_memory) {
  capacity_demand demand = small_demand();
  demand.base.model.layers = 12;
  demand.base.device_budget_beyond_weights_bytes = 2'000'000'000;
  step_simulator simulator(h200(), demand.base);
  candidate of{.expert_ranks = 32, .sparse_ratio = 0.3, .overlap = overlap_mode::da};
  const auto even = simulator.settings_of(of).value();
  of.pools = pool_sizes::by_layer;
  const auto split = simulator.settings_of(of);
  ASSERT_TRUE(split);
  EXPECT_FALSE(split->pool_weights.empty());
  const auto with_even = simulator.run(even, 4), with_split = simulator.run(*split, 4);
  EXPECT_GT(with_split->hit_rate, with_even->hit_rate);
  EXPECT_NEAR(static_cast<double>(with_split->device_bytes), static_cast<double>(with_even->device_bytes),
              1e-3 * static_cast<double>(with_even->device_bytes));
}

}  // namespace
}  // namespace harness
