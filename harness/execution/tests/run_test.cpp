#include "harness/execution/run.h"

#include <filesystem>

namespace harness {
namespace {

constexpr const char* spec = R"({
  "name": "t", "description": "d", "kind": "fixed", "systems": ["all_gpu", "ess"], "model": {"preset": "tiny"},
  "context_tokens": 256, "batch": 2, "steps": 6, "sparse_ratio": 0.25, "overlap": "none",
  "measure": {"warmup_steps": 1, "min_samples": 3, "max_samples": 6, "max_seconds": 20, "relative_ci": 0.5},
  "accuracy": {"steps": 1, "requests": 1, "layers": 1}})";

class run_test : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("essbench_run_test_" + results::new_run_id());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::filesystem::path database() const { return folder_ / "r.db"; }
  static workloads::workload parse(std::vector<std::string> set = {}) {
    return workloads::parse_workload(spec, "t.json", {.set = std::move(set)}).value();
  }
  static run_options quiet(resume_mode mode = resume_mode::fresh) {
    return {.mode = mode, .style = progress_style::silent, .command_line = "test"};
  }

  std::filesystem::path folder_;
};

TEST_F(run_test, stores_every_point_with_metrics_and_accuracy) {
  auto store = results::store::open(database());
  const run_outcome outcome = run_workload(parse(), store, quiet());
  EXPECT_EQ(outcome.incorrect + outcome.failed, 0);
  const auto run = store.load(outcome.run_id).value();
  ASSERT_EQ(run.points.size(), 2u);
  for (const auto& point : run.points) {
    ASSERT_NE(point.last(), nullptr);
    EXPECT_EQ(point.last()->status, results::attempt_status::ok) << point.last()->reason;
    EXPECT_FALSE(point.last()->accuracy.empty());
    for (const char* name :
         {"step_time_us", "tokens_per_s", "hit_rate", "device_bytes", "op_attend_us", "batch"}) {
      EXPECT_NE(results::find_metric(point, name), nullptr) << point.point.label << " " << name;
    }
    EXPECT_EQ(point.last()->samples.at("step_time_us").size(),
              static_cast<std::size_t>(results::find_metric(point, "step_time_us")->n));
  }
  EXPECT_EQ(results::find_metric(run.points[0], "hit_rate")->median, 1.0);
  EXPECT_LT(results::find_metric(run.points[1], "hit_rate")->median, 1.0);
}

TEST_F(run_test, resume_leaves_finished_points_alone) {
  auto store = results::store::open(database());
  const std::string first = run_workload(parse(), store, quiet()).run_id;
  const run_outcome again = run_workload(parse(), store, quiet(resume_mode::resume));
  EXPECT_EQ(again.run_id, first);
  const auto run = store.load(first).value();
  for (const auto& point : run.points) EXPECT_EQ(point.attempts.size(), 1u);
}

TEST_F(run_test, a_point_that_does_not_fit_has_no_time) {
  auto store = results::store::open(database());
  const run_outcome outcome = run_workload(parse({"device_budget_bytes=1000000"}), store, quiet());
  EXPECT_EQ(outcome.failed, 2);
  const auto run = store.load(outcome.run_id).value();
  for (const auto& point : run.points) {
    EXPECT_EQ(point.last()->status, results::attempt_status::out_of_memory);
    EXPECT_THAT(point.last()->reason, testing::HasSubstr("budget"));
    EXPECT_EQ(results::find_metric(point, "step_time_us"), nullptr);
  }
}

TEST_F(run_test, serving_counts_every_token) {
  auto store = results::store::open(database());
  const auto workload = workloads::parse_workload(R"({
    "name": "s", "description": "d", "kind": "serve", "systems": ["ess"], "model": {"preset": "tiny"}, "batch": 2,
    "sparse_ratio": 0.25, "requests": {"rate_per_s": 500, "count": 8, "max_context_tokens": 512},
    "measure": {"max_seconds": 60}, "accuracy": {"steps": 1, "requests": 1, "layers": 1}})",
                                                  "s.json");
  ASSERT_TRUE(workload.has_value()) << to_string(workload.error());
  const run_outcome outcome = run_workload(*workload, store, quiet());
  const auto run = store.load(outcome.run_id).value();
  EXPECT_EQ(run.points[0].last()->status, results::attempt_status::ok) << run.points[0].last()->reason;
  EXPECT_EQ(results::find_metric(run.points[0], "requests_finished")->median, 8);
}

}  // namespace
}  // namespace harness
