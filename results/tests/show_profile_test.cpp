#include "results/show_profile.h"

#include <gmock/gmock.h>

#include "results/tests/example_run.h"
#include "results/tests/golden.h"

namespace results {
namespace {

TEST(show_profile, reads_as_agreed) {
  loaded_run run = testing::an_example_run();
  using enum profiled_activity;
  testing::point_of(run, "ess").attempts.back().profiled = {
      {.operation = "attend", .layer = 0, .activity = range, .count = 10, .cpu_us = 30},
      {.operation = "attend",
       .layer = 0,
       .activity = kernel,
       .name = "attend_rows",
       .count = 10,
       .gpu_us = 900},
      {.operation = "attend", .layer = 1, .activity = range, .count = 10, .cpu_us = 31},
      {.operation = "attend",
       .layer = 1,
       .activity = kernel,
       .name = "attend_rows",
       .count = 10,
       .gpu_us = 800},
      {.operation = "fetch", .layer = 0, .activity = range, .count = 10, .cpu_us = 20, .bytes = 6'560'000},
      {.operation = "fetch",
       .layer = 0,
       .activity = copy,
       .name = "host to device",
       .count = 5,
       .gpu_us = 3,
       .bytes = 4'096},
      {.operation = "fetch",
       .layer = 0,
       .activity = kernel,
       .name = "gather_rows",
       .count = 10,
       .gpu_us = 700},
      {.operation = "point", .activity = range, .count = 2, .cpu_us = 5'000},
      {.operation = "step", .activity = range, .count = 10, .cpu_us = 3'000},
      {.operation = "step", .activity = kernel, .name = "CUDA graph", .count = 8, .gpu_us = 2'100}};
  run.imports = {
      {.kind = "essbench", .file = "shard.db"},
      {.kind = "nsys", .file = "ess.sqlite", .source_version = "Nsight Systems 2025.1", .note = "of 43"}};
  testing::expect_golden(show_profile(run), "profile.txt");
}

TEST(show_profile, says_that_there_is_none) {
  EXPECT_THAT(show_profile(testing::an_example_run()), ::testing::HasSubstr("has no profile"));
}

}  // namespace
}  // namespace results
