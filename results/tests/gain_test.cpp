#include "results/gain.h"

#include <cmath>

#include "results/tests/example_run.h"

namespace results {
namespace {

using testing::an_example_run;
using testing::point_of;

TEST(gain, is_over_all_gpu_in_the_same_budget) {
  loaded_run run = an_example_run();
  const loaded_point& ess = point_of(run, "ess");
  EXPECT_EQ(all_gpu_reference(run, ess), &point_of(run, "all_gpu"));
  EXPECT_DOUBLE_EQ(*throughput_ratio(ess, all_gpu_reference(run, ess)), (14 / 62'500.0) / (4 / 30'000.0));
  EXPECT_EQ(all_gpu_reference(run, point_of(run, "uncapped")), &point_of(run, "uncapped"));
}

TEST(gain, takes_the_best_all_gpu_point) {
  loaded_run run = an_example_run();
  loaded_point better = point_of(run, "all_gpu");
  better.point.label = "all_gpu batch=6";
  better.point.requested["batch"] = 6;
  better.attempts.back().metrics["tokens_per_s"].median *= 1.1;
  run.points.push_back(better);
  EXPECT_EQ(all_gpu_reference(run, point_of(run, "ess"))->point.label, "all_gpu batch=6");
}

TEST(gain, is_not_between_different_questions) {
  for (auto change : {+[](loaded_point& p) { p.point.requested["context_tokens"] = 8192; },
                      +[](loaded_point& p) { p.point.requested["mtp"] = 2; },
                      +[](loaded_point& p) { p.point.requested["device_budget_bytes"] = 1; },
                      +[](loaded_point& p) { p.point.clock = "virtual"; },
                      +[](loaded_point& p) { p.point.device = "cuda"; },
                      +[](loaded_point& p) { p.attempts.back().status = attempt_status::noisy; },
                      +[](loaded_point& p) { p.attempts.clear(); }}) {
    loaded_run run = an_example_run();
    change(point_of(run, "all_gpu"));
    EXPECT_EQ(all_gpu_reference(run, point_of(run, "ess")), nullptr);
  }
}

TEST(gain, needs_both_points_ok) {
  loaded_run run = an_example_run();
  const loaded_point& noisy = point_of(run, "ess größe=小");
  ASSERT_NE(all_gpu_reference(run, noisy), nullptr);
  EXPECT_EQ(throughput_ratio(noisy, all_gpu_reference(run, noisy)), std::nullopt);
  EXPECT_EQ(throughput_ratio(point_of(run, "ess"), nullptr), std::nullopt);
}

TEST(gain, has_an_interval_around_it_from_the_samples_of_both) {
  loaded_run run = an_example_run();
  const loaded_point& ess = point_of(run, "ess");
  const loaded_point* reference = all_gpu_reference(run, ess);
  const auto bounds = ratio_bounds(ess, reference, "tokens_per_s");
  ASSERT_TRUE(bounds);
  EXPECT_TRUE(bounds->contains(*throughput_ratio(ess, reference)));
  EXPECT_LT(bounds->hi - bounds->lo, 0.05);
  EXPECT_FALSE(ratio_bounds(ess, nullptr, "tokens_per_s"));
  EXPECT_FALSE(ratio_bounds(ess, reference, "hit_rate")) << "has no samples";
  point_of(run, "all_gpu").attempts.back().samples["tokens_per_s"][3] = NAN;
  EXPECT_FALSE(ratio_bounds(ess, reference, "tokens_per_s"));
}

TEST(uncapped_reference, ignores_budgets_and_prefers_the_same_batch) {
  loaded_run run = an_example_run();
  loaded_point larger = point_of(run, "uncapped");
  larger.point.label = "uncapped batch=18";
  larger.attempts.back().metrics["batch"].median = 18;
  larger.attempts.back().metrics["tokens_per_s"].median = 1000;
  run.points.push_back(larger);
  EXPECT_EQ(uncapped_reference(run, point_of(run, "ess"))->point.label, "uncapped");
  EXPECT_EQ(uncapped_reference(run, point_of(run, "naive_gather"))->point.label, "uncapped batch=18");
  EXPECT_EQ(uncapped_reference(run, point_of(run, "all_gpu"))->point.label,
            "uncapped batch=18");  // the fastest
}

TEST(is_uncapped, means_a_device_budget_of_zero) {
  loaded_run run = an_example_run();
  EXPECT_TRUE(is_uncapped(point_of(run, "uncapped")));
  loaded_point& ess = point_of(run, "ess");
  EXPECT_FALSE(is_uncapped(ess));
  ess.point.effective.erase("device_budget_bytes");
  ess.point.requested.erase("device_budget_bytes");
  ess.point.requested["device_budget_beyond_weights_bytes"] = 0;
  EXPECT_FALSE(is_uncapped(ess));
}

}  // namespace
}  // namespace results
