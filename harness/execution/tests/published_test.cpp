#include "harness/execution/published.h"

namespace harness {
namespace {

results::loaded_point point(const std::string& system, const std::string& label, double batch, double rate) {
  results::loaded_point out;
  out.point = {.label = label, .system = system, .device = "sim:x", .clock = "virtual"};
  out.point.requested = {{"device_budget_bytes", label == "uncapped" ? 0 : 5}, {"system", system}};
  results::attempt_record attempt;
  attempt.metrics["batch"] = {.median = batch, .lo = batch, .hi = batch, .n = 1};
  attempt.metrics["tokens_per_s"] = {.median = rate, .lo = rate, .hi = rate, .n = 1, .unit = "tok/s"};
  out.attempts.push_back(attempt);
  return out;
}

workloads::workload with(const workloads::point_selector& of, const std::string& metric, double value) {
  workloads::workload out;
  workloads::published_value& published = out.published.emplace_back();
  published.of = of;
  published.metric = metric;
  published.value = value;
  return out;
}

TEST(published, stands_beside_the_point_with_its_system_and_batch) {
  const results::loaded_run run{.points = {point("all_gpu", "all_gpu batch=4", 4, 90),
                                           point("all_gpu", "all_gpu batch=8", 8, 120),
                                           point("all_gpu", "uncapped", 8, 500)}};
  const auto beside = beside_published(
      with({.system = workloads::system_kind::all_gpu, .batch = 8}, "tokens_per_s", 100), run);
  ASSERT_EQ(beside.size(), 1u);
  EXPECT_EQ(beside[0].point, "all_gpu batch=8");
  EXPECT_DOUBLE_EQ(*beside[0].error(), 0.2);
}

TEST(published, a_label_means_an_extra_point) {
  const results::loaded_run run{
      .points = {point("all_gpu", "all_gpu", 8, 120), point("all_gpu", "uncapped", 8, 500)}};
  const auto beside = beside_published(with({.label = "uncapped"}, "tokens_per_s", 1000), run);
  EXPECT_DOUBLE_EQ(*beside[0].ours, 500);
}

TEST(published, up_to_means_the_best_of_several) {
  const results::loaded_run run{.points = {point("all_gpu", "all_gpu", 4, 100),
                                           point("ess", "ess sparse_ratio=0.1", 8, 180),
                                           point("ess", "ess sparse_ratio=0.2", 7, 150)}};
  const auto beside =
      beside_published(with({.system = workloads::system_kind::ess}, "gain_over_all_gpu", 2), run);
  EXPECT_DOUBLE_EQ(*beside[0].ours, 1.8);
  EXPECT_EQ(beside[0].point, "ess sparse_ratio=0.1");
}

TEST(published, what_no_point_has_is_left_out_of_the_error) {
  const auto beside = beside_published(with({.label = "elsewhere"}, "tokens_per_s", 1), {});
  EXPECT_FALSE(beside[0].ours.has_value());
  EXPECT_FALSE(rms_error(beside).has_value());
}

}  // namespace
}  // namespace harness
