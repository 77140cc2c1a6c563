#include "harness/execution/alternation.h"

#include <memory>
#include <string>
#include <vector>

namespace harness {
namespace {

constexpr ess::byte_count gigabyte{1'000'000'000};

planned_point plan_of(std::int64_t latents, std::int64_t seed = 1) {
  planned_point plan;
  plan.point.requested.seed = seed;
  plan.memory = {{"weights", ess::memory_tier::device, {600'000'000}},
                 {"latents", ess::memory_tier::host, {latents}}};
  return plan;
}

std::size_t together(const std::vector<planned_point>& plans) {
  std::vector<const planned_point*> pointers;
  for (const planned_point& plan : plans) pointers.push_back(&plan);
  return points_together(pointers, gigabyte);
}

TEST(points_together, are_as_many_as_fit_with_one_copy_of_the_weights) {
  EXPECT_EQ(together({plan_of(100'000'000), plan_of(200'000'000), plan_of(100'000'000)}), 3u);
  EXPECT_EQ(together({plan_of(100'000'000), plan_of(200'000'000), plan_of(100'000'001)}), 2u);
  EXPECT_EQ(together({plan_of(2'000'000'000), plan_of(1)}), 1u) << "one runs, whatever it needs";
  EXPECT_EQ(together({plan_of(1, 1), plan_of(1, 2)}), 1u) << "another seed, other weights";
}

TEST(points_together, counts_no_memory_for_points_that_will_not_run) {
  planned_point too_large = plan_of(5'000'000'000);
  too_large.verdict = plan_verdict::out_of_memory;
  EXPECT_EQ(together({plan_of(1), too_large, plan_of(1)}), 3u);
}

TEST(points_together, leaves_serving_alone) {
  planned_point serving = plan_of(1);
  serving.point.requested.kind = workloads::workload_kind::serve;
  EXPECT_EQ(together({serving, plan_of(1)}), 1u);
  EXPECT_EQ(together({plan_of(1), plan_of(1), serving}), 2u);
}

TEST(points_together, leaves_simulated_points_alone_since_nothing_disturbs_them) {
  planned_point virtual_one = plan_of(1);
  virtual_one.simulated = std::make_shared<const simulation>();
  EXPECT_EQ(together({virtual_one, virtual_one}), 1u);
}

TEST(take_turns, goes_forth_and_back_until_nobody_wants_more) {
  std::vector<int> left = {3, 1, 2};
  std::string order;
  take_turns(
      left.size(), [&](std::size_t i) { return left[i] > 0; },
      [&](std::size_t i) {
        --left[i];
        order += static_cast<char>('A' + i);
      });
  EXPECT_EQ(order,
            "ABC"
            "CA"
            "A");
  take_turns(
      0, [](std::size_t) { return true; }, [](std::size_t) { FAIL(); });
}

}  // namespace
}  // namespace harness
