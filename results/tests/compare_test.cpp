#include "results/compare.h"

#include "results/tests/example_run.h"
#include "results/tests/golden.h"

namespace results {
namespace {

using testing::an_example_run;
using ::testing::HasSubstr;
using testing::point_of;

const point_comparison& about(const comparison& of, std::string_view label) {
  const auto at = std::ranges::find(of.points, label, &point_comparison::label);
  if (at == of.points.end()) throw std::out_of_range("not compared");
  return *at;
}

const metric_comparison& about(const point_comparison& of, std::string_view metric) {
  const auto at = std::ranges::find(of.metrics, metric, &metric_comparison::name);
  if (at == of.metrics.end()) throw std::out_of_range("not compared");
  return *at;
}

// Half the throughput of the example's ess, on another machine.
loaded_run a_slower_run() {
  loaded_run run = an_example_run();
  run.run.id = "1c000000-7c1d-4e0f-9a77-3f1c2d4e5f60";
  run.run.git_revision = "ba9876543210";
  run.env["cpu"]["model"] = "Example 4000";
  run.env.erase("compiler");
  attempt_record& ess = point_of(run, "ess").attempts.back();
  for (double& sample : ess.samples["step_time_us"]) sample *= 2;
  for (double& sample : ess.samples["tokens_per_s"]) sample /= 2;
  ess.metrics["step_time_us"].median *= 2;
  ess.metrics["tokens_per_s"].median /= 2;
  return run;
}

TEST(compare, a_run_with_itself_is_the_same) {
  const loaded_run run = an_example_run();
  const comparison made = compare(run, run);
  EXPECT_TRUE(made.differences.empty());
  EXPECT_TRUE(made.only_in_a.empty() && made.only_in_b.empty());
  EXPECT_EQ(made.points.size(), run.points.size());
  const point_comparison& ess = about(made, "ess");
  for (const metric_comparison& m : ess.metrics) EXPECT_EQ(m.ratio, 1.0) << m.name;
  EXPECT_TRUE(about(ess, "step_time_us").ratio_bounds->contains(1.0));
  EXPECT_FALSE(about(ess, "hit_rate").ratio_bounds);  // no samples
  EXPECT_EQ(ess.gain->ratio, 1.0);
}

TEST(compare, finds_a_ratio_and_its_interval) {
  const comparison made = compare(an_example_run(), a_slower_run());
  const metric_comparison& step = about(about(made, "ess"), "step_time_us");
  EXPECT_DOUBLE_EQ(*step.ratio, 2.0);
  EXPECT_TRUE(step.ratio_bounds->contains(2.0));
  EXPECT_GT(step.ratio_bounds->lo, 1.9);
  EXPECT_LT(step.ratio_bounds->hi, 2.1);
  EXPECT_DOUBLE_EQ(*about(made, "ess").gain->ratio, 0.5);
  EXPECT_DOUBLE_EQ(*about(about(made, "naive_gather"), "step_time_us").ratio, 1.0);
}

TEST(compare, lists_what_differs_around_the_points) {
  const comparison made = compare(an_example_run(), a_slower_run());
  std::vector<std::string> lines;
  for (const difference& d : made.differences) lines.push_back(d.path + " " + d.a + " " + d.b);
  EXPECT_EQ(lines, (std::vector<std::string>{"git_revision \"0123456789ab\" \"ba9876543210\"",
                                             "environment.compiler \"GNU 12.2.0\" -",
                                             "environment.cpu.model \"Example 3000\" \"Example 4000\""}));
}

TEST(compare, matches_points_across_machines_and_nothing_else) {
  for (const char* path : {"link.paced", "link.gather_gb_per_s", "device_budget_bytes", "host_budget_bytes",
                           "cpu_threads", "measure.max_samples", "cluster.nodes"}) {
    loaded_run other = an_example_run();
    point_of(other, "ess").point.requested[path] = 77;
    EXPECT_TRUE(compare(an_example_run(), other).only_in_a.empty()) << path;
  }
  for (const char* path : {"batch", "context_tokens", "overlap", "mtp", "seed"}) {
    loaded_run other = an_example_run();
    point_of(other, "ess").point.requested[path] = 77;
    const comparison made = compare(an_example_run(), other);
    EXPECT_EQ(made.only_in_a, std::vector<std::string>{"ess"}) << path;
    EXPECT_EQ(made.only_in_b, std::vector<std::string>{"ess"}) << path;
  }
  loaded_run other = an_example_run();
  point_of(other, "ess").point.label = "ess2";
  point_of(other, "hisparse").point.system = "ess";
  const comparison made = compare(an_example_run(), other);
  EXPECT_EQ(made.only_in_a, (std::vector<std::string>{"ess", "hisparse"}));
  EXPECT_EQ(made.only_in_b, (std::vector<std::string>{"ess2", "hisparse"}));
}

TEST(compare, only_ok_points_of_the_same_clock) {
  loaded_run other = an_example_run();
  point_of(other, "ess").attempts.back().status = attempt_status::noisy;
  point_of(other, "all_gpu").point.clock = "virtual";
  const comparison made = compare(an_example_run(), other);
  EXPECT_EQ(about(made, "ess").incomparable, "status ok against noisy");
  EXPECT_TRUE(about(made, "ess").metrics.empty());
  EXPECT_EQ(about(made, "all_gpu").incomparable, "clock wall against virtual");
  EXPECT_EQ(about(made, "hisparse").incomparable, "status not tried against not tried");
  EXPECT_EQ(about(made, "naive_gather").incomparable, "");
}

TEST(compare, gains_only_at_the_same_link_proportion) {
  loaded_run other = an_example_run();
  metric_value& proportion = point_of(other, "ess").attempts.back().metrics["link_proportion"];
  for (const double close : {2.7 * 1.0999, 2.7 / 1.0999}) {
    proportion.median = close;
    EXPECT_TRUE(about(compare(an_example_run(), other), "ess").gain) << close;
  }
  for (const double far : {2.7 * 1.1001, 2.7 / 1.1001}) {
    proportion.median = far;
    EXPECT_FALSE(about(compare(an_example_run(), other), "ess").gain) << far;
  }
  proportion.median = 1.9;
  const comparison made = compare(an_example_run(), other);
  EXPECT_EQ(about(made, "ess").gain_incomparable, "link proportion 2.7 against 1.9");
  EXPECT_FALSE(about(made, "ess").metrics.empty());  // times are still what they are
  EXPECT_THAT(show_comparison(made), HasSubstr("incomparable: link proportion 2.7 against 1.9"));
}

TEST(compare, ratios_that_do_not_exist) {
  loaded_run a = an_example_run();
  loaded_run b = an_example_run();
  auto& before = point_of(a, "ess").attempts.back().metrics;
  auto& after = point_of(b, "ess").attempts.back().metrics;
  before["hit_rate"].median = 0;
  before["host_bytes"].median = 0;
  after["host_bytes"].median = 0;
  after["device_bytes"].unit = "MB";
  after.erase("batch");
  const comparison made = compare(a, b);
  const point_comparison& ess = about(made, "ess");
  EXPECT_EQ(about(ess, "hit_rate").ratio, std::nullopt);
  EXPECT_EQ(about(ess, "host_bytes").ratio, 1.0);
  EXPECT_THROW((void)about(ess, "device_bytes"), std::out_of_range);
  EXPECT_THROW((void)about(ess, "batch"), std::out_of_range);
}

TEST(show_comparison, of_two_examples) {
  loaded_run other = a_slower_run();
  point_of(other, "naive_gather").attempts.back().metrics["link_proportion"].median = 1.9;
  point_of(other, "hisparse").point.label = "hisparse pool_rows=64";
  testing::expect_golden(show_comparison(compare(an_example_run(), other)), "comparison.txt");
}

TEST(show_comparison, of_runs_with_nothing_in_common) {
  loaded_run other = an_example_run();
  other.points.clear();
  const std::string text = show_comparison(compare(an_example_run(), other));
  EXPECT_THAT(text, HasSubstr("build, workload and environment are the same\n"));
  EXPECT_THAT(text, HasSubstr("no point is in both runs\n"));
  EXPECT_THAT(text, HasSubstr("only in A: all_gpu, naive_memcpy,"));
}

}  // namespace
}  // namespace results
