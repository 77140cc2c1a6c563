#include "results/show_benchmarks.h"

#include <gmock/gmock.h>

#include "results/show.h"
#include "results/tests/example_run.h"
#include "results/tests/golden.h"
#include "results/tests/scratch.h"

namespace results {
namespace {

loaded_point a_benchmark(const std::string& label, attempt_record attempt) {
  loaded_point made{.point = testing::a_point(label, "benchmark")};
  made.attempts.push_back(std::move(attempt));
  return made;
}

TEST(show_benchmarks, reads_as_agreed) {
  loaded_run run{.run = testing::a_run(), .workload = testing::a_workload()};
  run.run.workload_name = "benchmark:ess_some_bench";
  attempt_record gather;
  gather.metrics["real_time_us"] = {.median = 12345.678, .n = 7, .unit = "us"};
  gather.metrics["cpu_time_us"] = {.median = 0.00244, .n = 7, .unit = "us"};
  gather.metrics["bytes_per_second"] = {.median = 8.1234567e9, .n = 7, .unit = "B/s"};
  gather.metrics["hit_rate"] = {.median = 0.9, .n = 7};
  run.points = {a_benchmark("gather/rows:64", gather),
                a_benchmark("library", {.status = attempt_status::error, .reason = "not found"})};
  EXPECT_TRUE(is_of_benchmarks(run));
  testing::expect_golden(show_run(run), "benchmarks.txt");
}

TEST(show_benchmarks, is_for_runs_of_nothing_else) {
  EXPECT_FALSE(is_of_benchmarks(testing::an_example_run()));
  EXPECT_FALSE(is_of_benchmarks({}));
}

}  // namespace
}  // namespace results
