// The page: one file, nothing from outside, nothing of a run that could act.
#include <fmt/format.h>

#include <limits>

#include "results/report/page.h"
#include "results/report/report.h"
#include "results/tests/example_run.h"

namespace {

using namespace results;
using results::testing::an_example_run;
using results::testing::point_of;
using ::testing::HasSubstr;
using ::testing::Not;

std::string page_of(const loaded_run& run, report_extras extras = {}) {
  return report_html(make_report(run, std::move(extras)));
}

// The text of the page's data block.
std::string data_of(const std::string& page) {
  constexpr std::string_view open = R"(<script type="application/json" id="data">)";
  const std::size_t begin = page.find(open) + open.size();
  return page.substr(begin, page.find("</script>", begin) - begin);
}

TEST(report_html, holds_the_run_as_json) {
  const loaded_run run = an_example_run();
  const auto data = nlohmann::json::parse(data_of(page_of(run)));
  EXPECT_EQ(data, report_json(make_report(run)));
  EXPECT_EQ(data["points"].size(), run.points.size());
  EXPECT_EQ(data["run"]["workload"], "quick");
}

TEST(report_html, text_of_a_run_cannot_leave_its_block) {
  const std::string hostile = "</script><script>document.title='owned'</script><!--<script>{{data}}";
  loaded_run run = an_example_run();
  run.points[0].point.label = hostile;
  run.points[1].attempts.back().reason = hostile;
  run.run.workload_name = hostile;
  run.env[hostile] = hostile;
  const std::string page = page_of(run);
  EXPECT_THAT(page, Not(HasSubstr("document.title='owned'</script>")));
  EXPECT_THAT(data_of(page), Not(HasSubstr("<")));
  EXPECT_EQ(nlohmann::json::parse(data_of(page))["points"][0]["label"], hostile);
}

TEST(report_html, the_script_never_makes_html_of_text) {
  for (const char* way :
       {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"})
    EXPECT_EQ(embedded_page().script_text.find(way), std::string_view::npos) << way;
}

TEST(report_html, asks_for_nothing_outside_the_file) {
  const loaded_run run = an_example_run();
  const std::string page = page_of(run);
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  for (const char* way :
       {"src=\"http", "href=\"http", "src=\"//", "href=\"//", "url(http", "@import", "fetch(\"", "import("})
    EXPECT_THAT(page, Not(HasSubstr(way))) << way;
}

TEST(report_html, bytes_that_are_no_utf8_and_numbers_that_are_none_do_no_harm) {
  loaded_run run = an_example_run();
  run.points[0].point.label = "bad \xff byte";
  point_of(run, "ess").attempts.back().metrics["hit_rate"].median = std::numeric_limits<double>::quiet_NaN();
  point_of(run, "ess").attempts.back().accuracy["attend.output"] = std::numeric_limits<double>::infinity();
  const auto data = nlohmann::json::parse(data_of(page_of(run)));
  EXPECT_EQ(data["points"][0]["label"], "bad \xef\xbf\xbd byte");
  EXPECT_TRUE(data["points"][4]["metrics"]["hit_rate"]["median"].is_null());
  EXPECT_TRUE(data["points"][4]["accuracy"]["attend.output"].is_null());
}

TEST(report_html, a_wrong_point_shows_no_time) {
  loaded_run run = an_example_run();
  auto& wrong = point_of(run, "naive_memcpy").attempts.back();
  wrong.metrics["step_time_us"] = {.median = 5, .lo = 5, .hi = 5, .n = 1, .unit = "us"};
  wrong.metrics["op_attend_us"] = {.median = 5, .lo = 5, .hi = 5, .n = 1, .unit = "us"};
  const auto data = nlohmann::json::parse(data_of(page_of(run)));
  EXPECT_FALSE(data["points"][1]["metrics"].contains("step_time_us"));
  EXPECT_TRUE(data["points"][1]["operations"].empty());
  EXPECT_TRUE(data["points"][1]["metrics"].contains("device_bytes"));
}

TEST(report_html, neither_samples_nor_long_series_make_it_large) {
  loaded_run run = an_example_run();
  attempt_record& ess = point_of(run, "ess").attempts.back();
  const std::size_t before = page_of(run).size();
  ess.samples["step_time_us"].assign(1'000'000, 62'500.0);
  ess.series["misses_by_step"].assign(1'000'000, 12.5);
  EXPECT_LT(page_of(run).size(), before + 3'000);
  const auto data = report_json(make_report(run));
  EXPECT_EQ(data["points"][4]["series"]["misses_by_step"]["stride"], 4167);
  EXPECT_EQ(data["points"][4]["series"]["misses_by_step"]["values"][0], 12.5);
}

timeline a_timeline(int layers) {
  timeline made;
  for (int layer = 0; layer < layers; ++layer) {
    made.push_back({.kind = "attend",
                    .layer = layer,
                    .stream = "compute",
                    .start_us = 10.0 * layer,
                    .end_us = 10.0 * layer + 6});
    made.push_back({.kind = "fetch",
                    .layer = layer,
                    .stream = "copy",
                    .on_link = true,
                    .start_us = 10.0 * layer + 4,
                    .end_us = 10.0 * layer + 9});
  }
  return made;
}

TEST(report_html, keeps_timelines_as_long_as_there_is_room) {
  loaded_run run = an_example_run();
  point_of(run, "all_gpu").attempts.back().steps_timeline = a_timeline(2);
  point_of(run, "naive_gather").attempts.back().steps_timeline = a_timeline(9'000);
  point_of(run, "ess").attempts.back().steps_timeline = a_timeline(3);
  const auto data = report_json(make_report(run));
  const auto& kept = data["points"][0]["timeline"];
  EXPECT_EQ(kept["kinds"], nlohmann::json({"attend", "fetch"}));
  EXPECT_EQ(kept["streams"], nlohmann::json({"compute", "copy"}));
  EXPECT_EQ(kept["operations"][3], nlohmann::json({1, 1, 1, 1, 14.0, 5.0}));
  EXPECT_DOUBLE_EQ(kept["exposed_us"].get<double>(), 6.0);
  EXPECT_EQ(data["points"][2]["timeline"], "left out");
  EXPECT_TRUE(data["points"][4]["timeline"].is_object());
}

TEST(report_html, carries_what_it_was_given_beside_the_run) {
  const loaded_run run = an_example_run();
  judged_arms arms{.objections = {"another processor"}};
  report_extras extras{.repeat = {{"ess", {.command = "essbench run quick --system ess", .label = "ess"}}},
                       .published = {{"ess", "tokens_per_s", "tok/s", "a paper", 100, 110}},
                       .curve = {{"mean", {{"misses", {{{"pool_rows", 1}, {"lru", 2.0}}}}}}},
                       .comparison = &arms};
  const auto data = report_json(make_report(run, extras));
  EXPECT_EQ(data["points"][4]["repeat"]["command"], "essbench run quick --system ess");
  EXPECT_TRUE(data["points"][0]["repeat"].is_null());
  EXPECT_EQ(data["published"][0]["source"], "a paper");
  EXPECT_EQ(data["curve"]["mean"]["misses"][0]["lru"], 2.0);
  EXPECT_EQ(data["comparison"]["objections"][0], "another processor");
  EXPECT_TRUE(report_json(make_report(run))["comparison"].is_null());
}

}  // namespace
