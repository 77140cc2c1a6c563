#include "harness/planning/shard.h"

#include <set>

namespace harness {
namespace {

std::vector<planned_point> a_sweep() {
  constexpr const char* spec = R"({
    "name": "t", "description": "d", "kind": "fixed", "systems": ["all_gpu", "ess"], "model": {"preset": "tiny"},
    "context_tokens": [128, 256, 512, 1024, 2048], "batch": [1, 2, 4, 8], "steps": 6, "sparse_ratio": 0.25})";
  return plan_workload(workloads::parse_workload(spec, "t.json").value());
}

TEST(shard, is_read_as_one_of_so_many) {
  EXPECT_EQ(parse_shard("2/4"), (shard{2, 4}));
  for (const char* wrong : {"", "2", "0/4", "5/4", "a/4", "2/", "2/4x", "-1/4", "2/0"})
    EXPECT_EQ(parse_shard(wrong), std::nullopt) << wrong;
}

TEST(shard, costs_grow_with_batch_and_context) {
  const auto plans = a_sweep();
  const auto cost = [&](int batch, int context) {
    for (const planned_point& p : plans) {
      if (p.batch == batch && p.point.requested.context_tokens == context) return predicted_cost(p);
    }
    return 0.0;
  };
  EXPECT_GT(cost(1, 128), 0);
  EXPECT_GT(cost(2, 128), cost(1, 128));
  EXPECT_GT(cost(8, 2048), cost(8, 1024));
}

TEST(shard, every_point_has_one_and_loads_are_even) {
  const auto plans = a_sweep();
  ASSERT_EQ(plans.size(), 40u);
  for (const int count : {1, 2, 3, 4, 7}) {
    const std::vector<int> of = shards_of(plans, count);
    ASSERT_EQ(of.size(), plans.size());
    EXPECT_EQ(of, shards_of(a_sweep(), count));  // on another machine
    std::vector<double> loads(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < of.size(); ++i) {
      ASSERT_GE(of[i], 1);
      ASSERT_LE(of[i], count);
      loads[static_cast<std::size_t>(of[i] - 1)] += predicted_cost(plans[i]);
    }
    const auto [least, most] = std::ranges::minmax(loads);
    EXPECT_LT(most / least, 1.25) << count << " shards";
  }
}

TEST(shard, may_be_more_than_points) {
  const auto plans = a_sweep();
  const std::vector<int> of = shards_of(plans, 100);
  EXPECT_EQ(std::set<int>(of.begin(), of.end()).size(), plans.size());
}

}  // namespace
}  // namespace harness
