#include "harness/validation/validation.h"

#include <cmath>
#include <stdexcept>

#include "workloads/catalog.h"

namespace harness {
namespace {

target h200() { return target::parse("sim:h200_ep32").value(); }

validation_case as_shipped(std::string_view workload) {
  for (const validation_case& one : validation_cases()) {
    if (one.workload == workload && one.set.empty()) return one;
  }
  throw std::logic_error("no case of this workload as it ships");
}

TEST(validation, every_case_names_a_shipped_workload_with_published_values) {
  for (const validation_case& one : validation_cases()) {
    EXPECT_TRUE(target::parse(one.device).has_value()) << one.device;
    const auto file = workloads::find_workload(one.workload);
    ASSERT_TRUE(file.has_value()) << one.workload;
    workloads::spec_options options;
    if (!one.set.empty()) options.set.emplace_back(one.set);
    const auto made = workloads::load_workload(*file, options);
    ASSERT_TRUE(made.has_value()) << to_string(made.error());
    EXPECT_FALSE(made->published.empty()) << one.workload;
  }
}

// The figures that the simulator promises; docs/simulator.md has the whole table.
TEST(validation, the_paper_at_32k_is_met) {
  double squares = 0, count = 0;
  for (const published_beside& row : validate(as_shipped("paper_32k"))) {
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

TEST(validation, the_paper_at_128k_is_met) {
  const auto rows = validate(as_shipped("paper_128k"));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_LT(std::abs(rows[0].error().value()), 0.08);
}

// Clusters that were really measured, and nothing of them calibrated: a quarter off, and not to grow unseen.
TEST(validation, dense_clusters_are_met_within_a_third) {
  const auto rows = validate(as_shipped("dense_h800"));
  ASSERT_EQ(rows.size(), 2u);
  for (const published_beside& row : rows) EXPECT_LT(std::abs(row.error().value()), 0.33);
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
