#include "results/report/report.h"
#include "results/tests/example_run.h"
#include "results/tests/golden.h"

namespace {

using namespace results;
using results::testing::an_example_run;
using results::testing::expect_golden;
using results::testing::point_of;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(report_markdown, reads_like_this) {
  loaded_run run = an_example_run();
  point_of(run, "ess").attempts.back().accuracy["attend.output"] = 2.8e-6;
  const report_extras extras{
      .repeat = {{"ess", {.command = "essbench run quick --system ess", .label = "ess"}}},
      .published = {{"ess", "tokens_per_s", "tok/s", "Example et al., table 2", 200, 224}}};
  expect_golden(report_markdown(make_report(run, extras)), "report.md");
}

TEST(report_markdown, text_of_a_run_stays_text) {
  loaded_run run = an_example_run();
  run.points[0].point.label = "all_gpu <img src=x> | [link](http://x) `code`";
  run.points[1].attempts.back().reason = "two\nlines\n# heading";
  const std::string text = report_markdown(make_report(run));
  EXPECT_THAT(text, HasSubstr(R"(all\_gpu \<img src=x> \| [link\](http://x) \`code\`)"));
  EXPECT_THAT(text, HasSubstr(R"(two lines \# heading)"));
  EXPECT_THAT(text, Not(HasSubstr("\n# heading")));
}

TEST(report_markdown, has_the_verdicts_against_a_baseline) {
  const loaded_run run = an_example_run();
  const judged_arms arms{.objections = {"another processor"}};
  EXPECT_THAT(report_markdown(make_report(run, {.comparison = &arms})),
              HasSubstr("#### Against the baseline\n\n**incomparable: another processor**"));
}

}  // namespace
