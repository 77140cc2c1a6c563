#include "harness/validation/validation.h"

#include <cmath>

namespace harness {
namespace {

target h200() { return target::parse("sim:h200_ep32").value(); }

TEST(validation, every_case_names_a_shipped_workload_with_published_values) {
  for (const validation_case& one : validation_cases()) {
    EXPECT_TRUE(target::parse(one.device).has_value()) << one.device;
  }
}

// The figures that the simulator promises; docs/simulator.md has the whole table.
TEST(validation, the_paper_at_32k_is_met) {
  double squares = 0, count = 0;
  for (const published_beside& row : validate(validation_cases()[0])) {
    ASSERT_TRUE(row.ours.has_value()) << row.published.metric;
    if (row.published.of.label == "uncapped") {
      squares += *row.error() * *row.error();
      count += 1;
    } else {
      EXPECT_LT(std::abs(*row.error()), row.published.metric == "gain_over_all_gpu" ? 0.05 : 0.03);
    }
  }
  EXPECT_EQ(count, 17);
  EXPECT_LT(std::sqrt(squares / count), 0.05);
}

TEST(validation, a_faster_link_to_experts_does_not_hurt) {
  auto profile = workloads::find_profile("h200_ep32").value();
  const headline before = quick_headline(h200());
  profile.hardware.combine = profile.hardware.combine.scaled(0.5);
  const headline after = quick_headline(target(profile));
  EXPECT_GE(after.all_gpu_32k, before.all_gpu_32k);
  EXPECT_GT(before.gain_32k, 1.5);
  EXPECT_GT(before.gain_128k, 1.5);
}

}  // namespace
}  // namespace harness
