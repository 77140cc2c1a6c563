// The page in a real browser, as ci/report-check tries it; skipped where there is none.
#include <fmt/format.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>

#include "results/report/page.h"
#include "results/report/report.h"
#include "results/tests/example_run.h"
#include "results/tests/scratch.h"

namespace {

using namespace results;
using results::testing::an_example_run;
using results::testing::point_of;
using results::testing::scratch_folder;

constexpr int no_browser = 77;

// The script's exit code.
int check(const std::string& page) {
  const scratch_folder folder;
  const auto file = folder / "report.html";
  std::ofstream(file, std::ios::binary) << page;
  const int status = std::system(fmt::format("ci/report-check '{}'", file.string()).c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void expect_sound(const std::string& page) {
  const int code = check(page);
  if (code == no_browser) GTEST_SKIP() << "no Chromium";
  EXPECT_EQ(code, 0);
}

metric_value exactly(double value, std::string unit) {
  return {.median = value, .lo = value, .hi = value, .n = 1, .unit = std::move(unit)};
}

// Something for every section.
loaded_run a_full_run() {
  loaded_run run = an_example_run();
  for (const char* label : {"all_gpu", "ess", "naive_gather"}) {
    attempt_record& last = point_of(run, label).attempts.back();
    last.metrics["tokens_per_s_per_user"] =
        exactly(last.metrics["tokens_per_s"].median / last.metrics["batch"].median, "tok/s");
    last.accuracy["attend.output"] = 2e-6;
    last.series["misses_by_layer"] = {3, 0, 12};
    last.series["misses_by_step"] = {40, 12, 9, 8};
    last.steps_timeline = {
        {.kind = "score_keys", .stream = "compute", .start_us = 0, .end_us = 60},
        {.kind = "fetch", .stream = "copy", .on_link = true, .start_us = 40, .end_us = 90},
        {.kind = "attend", .layer = 1, .stream = "compute", .start_us = 90, .end_us = 140}};
  }
  return run;
}

report_extras everything_beside(const judged_arms& arms) {
  return {.repeat = {{"ess", {.command = "essbench run quick", .label = "other", .also = {"all_gpu"}}}},
          .published = {{"ess", "tokens_per_s", "tok/s", "a paper", 100, 110}},
          .curve = nlohmann::json::parse(
              R"({"mean": {"misses": [{"pool_rows": 64, "lru": 9.0, "optimal": 5.0},
                                      {"pool_rows": 128, "lru": 4.0, "optimal": null}]}})"),
          .comparison = &arms};
}

judged_arms an_arm_with_a_verdict() {
  judged_arms arms{.runs_before = 6, .runs_after = 6, .turned_failing = {"hisparse"}};
  arms.judgements.push_back({.label = "ess",
                             .system = "ess",
                             .metric = "step_time_us",
                             .unit = "us",
                             .what = verdict::slower,
                             .before = 100,
                             .after = 120,
                             .ratio = 1.2,
                             .bounds = {1.1, 1.3}});
  return arms;
}

TEST(report_browser, every_section_works) {
  const loaded_run run = a_full_run();
  const judged_arms arms = an_arm_with_a_verdict();
  expect_sound(report_html(make_report(run, everything_beside(arms))));
}

TEST(report_browser, an_empty_run_and_one_without_results_work) {
  loaded_run run = an_example_run();
  for (loaded_point& point : run.points) point.attempts.clear();
  expect_sound(report_html(make_report(run)));
}

TEST(report_browser, hostile_text_does_not_act) {
  loaded_run run = a_full_run();
  const std::string hostile =
      "</script><script>page_faults.push('text ran')</script><img src=x "
      "onerror=\"page_faults.push('image')\">";
  run.points[0].point.label = "all_gpu " + hostile;
  run.points[1].attempts.back().reason = hostile;
  run.run.workload_name = run.run.command_line = hostile;
  run.env["cpu"]["model"] = hostile;
  expect_sound(report_html(make_report(run)));
}

TEST(report_browser, a_page_without_charts_works) {
  const loaded_run run = a_full_run();
  std::string page = report_html(make_report(run));
  const std::string_view charts = embedded_page().charts_text;
  if (!charts.empty()) page.erase(page.find(charts), charts.size());
  expect_sound(page);
}

TEST(report_browser, the_check_finds_what_is_broken) {
  const loaded_run run = a_full_run();
  const std::string page = report_html(make_report(run));
  const auto with = [&](std::string_view what, std::string_view instead) {
    std::string broken = page;
    const std::size_t at = broken.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return broken.replace(at, what.size(), instead);
  };
  const int sorted = check(with("shown.sort((a, b)", "[...shown].sort((a, b)"));
  if (sorted == no_browser) GTEST_SKIP() << "no Chromium";
  EXPECT_EQ(sorted, 1);
  EXPECT_EQ(check(with("line.hidden = !matches(row)", "line.hidden = false")), 1);
  EXPECT_EQ(check(with(".scroll { overflow-x: auto;", ".scroll { width: 1400px;")), 1);
  EXPECT_EQ(check(with("set_theme(wants_dark", "no_such_function(wants_dark")), 1);
  EXPECT_EQ(check(with("</header>", "</header><img src=\"http://example.org/x.png\">")), 1);
}

}  // namespace
