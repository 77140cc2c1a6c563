#include "ess_core/device/sim/event_clock.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "ess_core/step/tests/random_program.h"

namespace ess::sim {
namespace {

constexpr auto compute = stream_id::compute, copy = stream_id::copy, network = stream_id::network;

struct use_of {
  resource what;
  double share;
};

op_cost cost(double us, std::initializer_list<use_of> uses = {}) {
  op_cost out{.us = us};
  for (const use_of& u : uses) out.use[static_cast<std::size_t>(u.what)] = u.share;
  return out;
}

struct timed {
  stream_id stream;
  op_cost cost;
  std::vector<std::int32_t> waits = {};
};

step_timing run(const std::vector<timed>& what) {
  step_program program;
  std::vector<op_cost> costs;
  for (const timed& t : what) {
    program.operations.push_back({.kind = op_kind::output, .stream = t.stream, .waits = t.waits});
    costs.push_back(t.cost);
  }
  return run_on_event_clock(program, costs);
}

void expect_times(const step_timing& got, const std::vector<std::pair<double, double>>& want) {
  ASSERT_EQ(got.operations.size(), want.size());
  double last = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_NEAR(got.operations[i].start.count(), want[i].first, 1e-9) << "start of " << i;
    EXPECT_NEAR(got.operations[i].end.count(), want[i].second, 1e-9) << "end of " << i;
    last = std::max(last, want[i].second);
  }
  EXPECT_NEAR(got.total.count(), last, 1e-9);
}

TEST(event_clock, a_stream_runs_in_order_and_beside_others) {
  expect_times(run({{compute, cost(10)}, {copy, cost(5)}, {compute, cost(20)}, {copy, cost(7)}}),
               {{0, 10}, {0, 5}, {10, 30}, {5, 12}});
}

TEST(event_clock, an_operation_waits_for_those_it_names_and_holds_up_its_stream) {
  expect_times(run({{compute, cost(10)},
                    {copy, cost(5), {0}},
                    {copy, cost(1)},
                    {network, cost(2)},
                    {compute, cost(4), {2, 3}}}),
               {{0, 10}, {10, 15}, {15, 16}, {0, 2}, {16, 20}});
}

// 1 + 0.5 of the processors are asked for: both take 1.5 times as long until the copy, after 6 us, has done
// its 4. The product has done 4 of its 10 by then, and runs alone from there on.
TEST(event_clock, who_shares_is_slowed_only_while_both_run) {
  expect_times(run({{compute, cost(10, {{resource::processors, 1}})},
                    {copy, cost(4, {{resource::processors, 0.5}})},
                    {network, cost(3, {{resource::network, 1}})}}),
               {{0, 12}, {0, 6}, {0, 3}});
}

TEST(event_clock, nobody_is_slowed_where_there_is_enough) {
  expect_times(run({{compute, cost(10, {{resource::memory, 0.5}, {resource::processors, 1}})},
                    {copy, cost(4, {{resource::memory, 0.5}, {resource::link_in, 1}})}}),
               {{0, 10}, {0, 4}});
}

// The copy shares memory (2 asked for) and processors (1.25), the network processors alone.
TEST(event_clock, what_is_short_most_decides_for_each) {
  expect_times(run({{compute, cost(6, {{resource::memory, 1}})},
                    {copy, cost(2, {{resource::memory, 1}, {resource::processors, 0.25}})},
                    {network, cost(4, {{resource::processors, 1}})}}),
               // Until 4: compute has done 2 of 6, the network 3.2 of 4.
               {{0, 8}, {0, 4}, {0, 4.8}});
}

TEST(event_clock, a_share_that_alone_is_more_than_there_is_slows_too) {
  expect_times(run({{copy, cost(4, {{resource::host_memory, 1.5}})}}), {{0, 6}});
}

TEST(event_clock, operations_that_cost_nothing_take_no_time_and_keep_their_order) {
  expect_times(run({{compute, cost(0)},
                    {copy, cost(3), {0}},
                    {compute, cost(0), {1}},
                    {compute, cost(0)},
                    {copy, cost(0), {3}}}),
               {{0, 0}, {0, 3}, {3, 3}, {3, 3}, {3, 3}});
  expect_times(run({}), {});
}

std::vector<op_cost> random_costs(std::mt19937& rng, std::size_t count, bool sharing) {
  std::vector<op_cost> out;
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back(cost(rng() % 5 == 0 ? 0 : static_cast<double>(rng() % 1000) * 0.1));
    for (double& use : out.back().use)
      use = sharing && rng() % 2 == 0 ? 0.25 * static_cast<double>(1 + rng() % 4) : 0;
  }
  return out;
}

// Nothing starts before, or later than, it may.
void expect_no_idling(const step_program& p, const step_timing& got) {
  std::array<double, stream_count> free_from{};
  for (std::size_t i = 0; i < p.operations.size(); ++i) {
    double& free = free_from[static_cast<std::size_t>(p.operations[i].stream)];
    double may_start = free;
    for (const std::int32_t wait : p.operations[i].waits)
      may_start = std::max(may_start, got.operations[static_cast<std::size_t>(wait)].end.count());
    EXPECT_EQ(got.operations[i].start.count(), may_start) << i;
    free = got.operations[i].end.count();
  }
  EXPECT_EQ(got.total.count(), *std::ranges::max_element(free_from));
}

TEST(event_clock, random_programs_keep_every_promise) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 rng(seed);
    const bool sharing = seed % 2 == 0;
    const step_program p = test::random_program(rng, 40);
    const auto costs = random_costs(rng, p.operations.size(), sharing);
    const step_timing got = run_on_event_clock(p, costs);
    expect_no_idling(p, got);
    std::array<double, stream_count> alone{};
    for (std::size_t i = 0; i < costs.size(); ++i) {
      const double took = (got.operations[i].end - got.operations[i].start).count();
      EXPECT_GE(took, costs[i].us - 1e-6) << i;
      // Three streams ask for no more than three times what there is.
      EXPECT_LE(took, costs[i].us * (sharing ? 3 : 1) + 1e-6) << i;
      alone[static_cast<std::size_t>(p.operations[i].stream)] += costs[i].us;
    }
    EXPECT_GE(got.total.count(), *std::ranges::max_element(alone) - 1e-6);
    if (!sharing) {
      EXPECT_LE(got.total.count(), std::accumulate(alone.begin(), alone.end(), 0.0) + 1e-6);
    }
  }
}

}  // namespace
}  // namespace ess::sim
