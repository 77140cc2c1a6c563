// What a report says of a run, whatever its form.
#include "results/report/report.h"

#include <algorithm>

#include "results/report/findings.h"
#include "results/tests/example_run.h"
#include "results/tests/scratch.h"

namespace {

using namespace results;
using results::testing::an_example_run;
using results::testing::point_of;
using ::testing::HasSubstr;

const report_point& described(const report& of, std::string_view name) {
  return *std::ranges::find(of.points, name, &report_point::name);
}

const finding* finding_with(const report& of, std::string_view title) {
  const auto at = std::ranges::find_if(
      of.findings, [&](const finding& f) { return f.title.find(title) != std::string::npos; });
  return at == of.findings.end() ? nullptr : &*at;
}

void all_ok(loaded_run& run) {
  std::erase_if(run.points, [](const loaded_point& p) {
    return p.last() == nullptr || p.last()->status != attempt_status::ok;
  });
  for (loaded_point& p : run.points) p.attempts.back().accuracy["attend.output"] = 1e-6;
}

TEST(report, says_first_that_results_are_wrong) {
  const loaded_run run = an_example_run();
  const report made = make_report(run);
  EXPECT_EQ(made.findings.front().how, tone::bad);
  EXPECT_EQ(made.findings.front().title, "WRONG RESULTS");
  EXPECT_THAT(made.findings.front().text, HasSubstr("naive_memcpy"));
  EXPECT_EQ(finding_with(made, "Results are right"), nullptr);
}

TEST(report, says_that_results_are_right_only_if_they_were_checked) {
  loaded_run run = an_example_run();
  all_ok(run);
  EXPECT_NE(finding_with(make_report(run), "Results are right"), nullptr);
  point_of(run, "ess").attempts.back().accuracy.clear();
  const report made = make_report(run);
  EXPECT_EQ(finding_with(made, "Results are right"), nullptr);
  ASSERT_NE(finding_with(made, "Not checked"), nullptr);
  EXPECT_THAT(finding_with(made, "Not checked")->text, HasSubstr("ess"));
}

TEST(report, counts_what_is_not_ok) {
  const loaded_run run = an_example_run();
  const report made = make_report(run);
  const finding* counted = finding_with(made, "4 of 8 points ok");
  ASSERT_NE(counted, nullptr);
  EXPECT_THAT(counted->text, HasSubstr("1 incorrect"));
  EXPECT_THAT(counted->text, HasSubstr("1 not tried"));
}

TEST(report, names_the_best_gain_with_its_interval) {
  const loaded_run run = an_example_run();
  const report made = make_report(run);
  const finding* gain = finding_with(made, "over all_gpu");
  ASSERT_NE(gain, nullptr);
  EXPECT_EQ(gain->how, tone::good);
  EXPECT_THAT(gain->title, HasSubstr("Best: 1.68x [1."));
  EXPECT_THAT(gain->text, HasSubstr("ess, 224.0 tokens/s, more than all_gpu"));
}

TEST(report, does_not_praise_a_gain_that_its_interval_does_not_bear_out) {
  loaded_run run = an_example_run();
  attempt_record& ess = point_of(run, "ess").attempts.back();
  const attempt_record& all_gpu = point_of(run, "all_gpu").attempts.back();
  ess.metrics["tokens_per_s"] = all_gpu.metrics.at("tokens_per_s");
  ess.samples["tokens_per_s"] = all_gpu.samples.at("tokens_per_s");
  const report made = make_report(run);
  ASSERT_NE(finding_with(made, "over all_gpu"), nullptr);
  EXPECT_EQ(finding_with(made, "over all_gpu")->how, tone::note);
  EXPECT_THAT(finding_with(made, "over all_gpu")->text, HasSubstr("cannot be told from"));
}

TEST(report, shouts_that_a_simulation_is_one) {
  loaded_run run = an_example_run();
  for (loaded_point& p : run.points) {
    p.point.clock = "virtual";
    p.point.device = "sim:h200_ep32";
  }
  const report made = make_report(run);
  EXPECT_EQ(made.findings.front().title, "SIMULATED, not measured");
  EXPECT_EQ(made.findings.front().how, tone::warning);
  EXPECT_THAT(made.findings.front().text, HasSubstr("sim:h200_ep32"));
}

TEST(report, emulated_times_are_called_meaningless_and_give_no_gain) {
  loaded_run run = an_example_run();
  for (loaded_point& p : run.points) p.point.device = "cuda_emulated";
  const report made = make_report(run);
  EXPECT_EQ(made.findings.front().title, "EMULATED: the times mean nothing");
  EXPECT_EQ(finding_with(made, "over all_gpu"), nullptr);
}

TEST(report, a_ceiling_is_no_competitor) {
  const loaded_run run = an_example_run();
  const report made = make_report(run);
  EXPECT_TRUE(described(made, "uncapped (all_gpu)").is_ceiling);
  EXPECT_FALSE(described(made, "uncapped (all_gpu)").gain.has_value());
  EXPECT_FALSE(described(made, "ess").is_ceiling);
  EXPECT_NEAR(*described(made, "ess").of_uncapped, 55.0 / 62.5, 1e-9);
}

TEST(report, only_unbeaten_points_are_on_the_front) {
  loaded_run run = an_example_run();
  const auto rates = [&](std::string_view label, double all, double user) {
    auto& metrics = point_of(run, label).attempts.back().metrics;
    metrics["tokens_per_s"] = {.median = all, .lo = all, .hi = all, .n = 1, .unit = "tok/s"};
    metrics["tokens_per_s_per_user"] = {.median = user, .lo = user, .hi = user, .n = 1, .unit = "tok/s"};
  };
  rates("all_gpu", 100, 30);
  rates("ess", 200, 20);
  rates("naive_gather", 90, 25);
  rates("uncapped", 900, 90);
  const report made = make_report(run);
  EXPECT_TRUE(described(made, "all_gpu").is_on_front);
  EXPECT_TRUE(described(made, "ess").is_on_front);
  EXPECT_FALSE(described(made, "naive_gather").is_on_front);
  EXPECT_FALSE(described(made, "uncapped (all_gpu)").is_on_front);
}

TEST(report, a_system_that_beats_the_ceiling_fails_the_control) {
  loaded_run run = an_example_run();
  const auto of_ess = [](const report& made) {
    return *std::ranges::find(made.controls, "ess", &control::point);
  };
  EXPECT_TRUE(of_ess(make_report(run)).holds);
  attempt_record& ess = point_of(run, "ess").attempts.back();
  ess.metrics["tokens_per_s"].median *= 2;
  for (double& rate : ess.samples["tokens_per_s"]) rate *= 2;
  const report made = make_report(run);
  EXPECT_FALSE(of_ess(made).holds);
  EXPECT_THAT(of_ess(made).found, HasSubstr("1.76x"));
  EXPECT_NE(finding_with(made, "controls failed"), nullptr);
}

TEST(report, where_all_is_on_the_device_nothing_may_cross_the_link) {
  loaded_run run = an_example_run();
  auto& metrics = point_of(run, "all_gpu").attempts.back().metrics;
  metrics["hit_rate"] = {.median = 1, .lo = 1, .hi = 1, .n = 1};
  metrics["h2d_bytes_per_step"] = {.median = 0, .lo = 0, .hi = 0, .n = 1, .unit = "B"};
  EXPECT_EQ(finding_with(make_report(run), "failed"), nullptr);
  metrics["h2d_bytes_per_step"].median = 656;
  const report made = make_report(run);
  ASSERT_NE(finding_with(made, "controls failed"), nullptr);
  EXPECT_THAT(finding_with(made, "controls failed")->text, HasSubstr("all_gpu"));
}

TEST(report, without_a_budget_nothing_may_gain) {
  loaded_run run = an_example_run();
  loaded_point& ess = point_of(run, "ess");
  ess.point.requested["device_budget_bytes"] = ess.point.effective["device_budget_bytes"] = 0;
  const report made = make_report(run);
  const auto at = std::ranges::find(made.controls, "ess", &control::point);
  ASSERT_NE(at, made.controls.end());
  EXPECT_THAT(at->what, HasSubstr("negative control"));
}

TEST(report, knows_a_pool_s_share_of_the_context) {
  loaded_run run = an_example_run();
  point_of(run, "ess").point.effective["sparse_ratio"] = 0.2;
  settings& rows = point_of(run, "ess größe=小").point.effective;
  rows["pool_rows"] = 1024;
  const report made = make_report(run);
  EXPECT_DOUBLE_EQ(*described(made, "ess").pool_share, 0.2);
  EXPECT_DOUBLE_EQ(*described(made, "ess größe=小").pool_share, 0.25);
  EXPECT_FALSE(described(made, "all_gpu").pool_share.has_value());
}

TEST(report, an_empty_run_is_told_as_such) {
  loaded_run run = an_example_run();
  run.points.clear();
  const report made = make_report(run);
  EXPECT_NE(finding_with(made, "Nothing was run"), nullptr);
}

TEST(report, tells_the_machine_in_one_line) {
  loaded_run run = an_example_run();
  run.env = {{"gpu", {{"name", "NVIDIA H200"}, {"memory_bytes", 150'109'880'320}}},
             {"cpu", {{"model", "Example 3000"}, {"usable_cores", 8}}},
             {"build", {{"compiler", "GNU"}, {"compiler_version", "12.2.0"}}}};
  EXPECT_EQ(environment_line(run),
            "NVIDIA H200, 150 GB of GPU memory, Example 3000, 8 cores, GNU 12.2.0, essbench 0.1.0, revision "
            "0123456789ab with local changes");
}

}  // namespace
