#include "results/show.h"

#include "results/tests/example_run.h"
#include "results/tests/golden.h"

namespace results {
namespace {

using testing::an_example_run;
using testing::expect_golden;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::point_of;

TEST(show_run, of_an_example) { expect_golden(show_run(an_example_run()), "run.txt"); }

TEST(show_run, without_budgets_and_with_an_unpaced_link) {
  loaded_run run = an_example_run();
  std::erase_if(run.points,
                [](const loaded_point& p) { return p.point.system != "ess" && p.point.label != "all_gpu"; });
  for (loaded_point& point : run.points) {
    for (settings* of : {&point.point.requested, &point.point.effective}) {
      (*of)["device_budget_bytes"] = 0;
      (*of)["link.paced"] = false;
    }
  }
  expect_golden(show_run(run), "run_unpaced.txt");
}

TEST(show_run, of_arriving_requests_on_a_virtual_clock) {
  loaded_run run = an_example_run();
  run.points = {point_of(run, "ess")};
  run.points[0].point.device = "sim:example";
  run.points[0].point.clock = "virtual";
  run.run.git_revision = "";
  run.run.git_dirty = false;
  auto& metrics = run.points[0].attempts[0].metrics;
  for (const char* name : {"tpot_p50_us", "tpot_p99_us", "first_token_p50_us", "first_token_p99_us"}) {
    metrics[name] = {.median = 1234567, .lo = 1, .hi = 2, .n = 3, .unit = "us"};
  }
  metrics["slo_met_share"] = {.median = 0.875, .lo = 0.875, .hi = 0.875, .n = 1};
  metrics["goodput_tokens_per_s"] = {.median = 196, .lo = 196, .hi = 196, .n = 1, .unit = "tok/s"};
  expect_golden(show_run(run), "run_serve.txt");
}

TEST(show_run, of_no_points) {
  loaded_run run = an_example_run();
  run.points.clear();
  EXPECT_THAT(show_run(run), HasSubstr("how to read this"));
}

// Whatever is stored with it.
TEST(show_run, never_shows_the_time_of_a_wrong_result) {
  loaded_run run = an_example_run();
  run.points = {point_of(run, "ess")};
  ASSERT_THAT(show_run(run), HasSubstr("62.4"));
  ASSERT_THAT(show_operations(run), HasSubstr("21000.0"));
  for (int i = 0; i < attempt_status_count; ++i) {
    const auto status = static_cast<attempt_status>(i);
    run.points[0].attempts[0].status = status;
    const bool measured = is_measured(status);
    EXPECT_EQ(show_run(run).find("62.4") != std::string::npos, measured) << to_string(status);
    EXPECT_EQ(show_run(run).find("224.0") != std::string::npos, measured) << to_string(status);  // tokens/s
    EXPECT_EQ(show_operations(run).find("21000.0") != std::string::npos, measured) << to_string(status);
  }
}

TEST(show_run, reasons_cannot_break_the_table) {
  loaded_run run = an_example_run();
  point_of(run, "layer_stream").attempts[0].reason = "two\nlines \x1b[2J and \xff";
  EXPECT_THAT(show_run(run), HasSubstr("two lines  [2J and \ufffd\n"));
}

TEST(show_series, a_line_a_step_or_layer_and_a_column_a_point) {
  loaded_run run = an_example_run();
  point_of(run, "ess").attempts.back().series = {{"misses_by_step", {1700, 250.25, 199}},
                                                 {"misses_by_layer", {31, 607}}};
  point_of(run, "naive_gather").attempts.back().series = {{"misses_by_step", {2048}}};
  expect_golden(
      show_series(run, series_kind::misses_by_step, 2) + show_series(run, series_kind::misses_by_layer, 100),
      "series.txt");
  EXPECT_THAT(show_series(an_example_run(), series_kind::misses_by_layer, 9),
              HasSubstr("no point of this run counted"));
}

TEST(show_operations, of_an_example) { expect_golden(show_operations(an_example_run()), "operations.txt"); }

}  // namespace
}  // namespace results
