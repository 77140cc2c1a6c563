#include "harness/gating/noise_recording.h"

#include <nlohmann/json.hpp>

#include "harness/gating/tests/recordings.h"

namespace harness {
namespace {

using ::testing::HasSubstr;

std::string fault_of(const std::string& text) {
  const auto read = read_recording(text, "noise.json");
  return read ? "" : workloads::to_string(read.error());
}

std::string changed(const std::function<void(nlohmann::json&)>& how) {
  auto all = nlohmann::json::parse(to_text(testing::made_up(5, 0.01, 0.01)));
  how(all);
  return fault_of(all.dump());
}

TEST(noise_recording, comes_back_as_it_was_written) {
  const noise_recording made = testing::made_up(6, 0.02, 0.05);
  const auto read = read_recording(to_text(made), "noise.json");
  ASSERT_TRUE(read) << workloads::to_string(read.error());
  EXPECT_EQ(read->workload, "made up");
  EXPECT_EQ(read->machine, made.machine);
  ASSERT_EQ(read->points.size(), 2u);
  EXPECT_EQ(read->points[1].label, "quick");
  EXPECT_EQ(read->points[1].stopping.max_samples, 60u);
  for (std::size_t i = 0; i < 80; ++i)
    EXPECT_NEAR(read->points[1].runs[3][i], made.points[1].runs[3][i], 0.05);
}

TEST(noise_recording, says_what_is_wrong_with_a_file) {
  EXPECT_THAT(fault_of("{"), HasSubstr("noise.json: is not JSON"));
  EXPECT_THAT(fault_of("[]"), HasSubstr("is no recording of noise"));
  EXPECT_THAT(changed([](auto& j) { j["essbench_noise"] = 2; }), HasSubstr("has version 2 of its format"));
  EXPECT_THAT(changed([](auto& j) { j.erase("workload"); }), HasSubstr("workload"));
  EXPECT_THAT(changed([](auto& j) { j["points"][0]["runs"] = 3; }), HasSubstr("array"));
  EXPECT_THAT(changed([](auto& j) { j["points"] = nlohmann::json::array(); }), HasSubstr("holds no point"));
  EXPECT_THAT(changed([](auto& j) { j["points"][0]["runs"].erase(0); }),
              HasSubstr("point 'quick' has 5 runs, others 4"));
  EXPECT_THAT(changed([](auto& j) { j["points"][1]["runs"][2][7] = -1; }),
              HasSubstr("'quick' has a run without steps"));
  EXPECT_THAT(changed([](auto& j) { j["points"][1]["stopping"]["min_samples"] = 0; }),
              HasSubstr("stops after 0 to 60"));
}

TEST(noise_recording, holds_points_that_are_ok_in_every_run) {
  results::arm runs(4);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (const char* label : {"good", "bad", "none"}) {
      results::loaded_point point{.point = {.label = label, .system = "ess"}, .attempts = {}};
      results::attempt_record attempt;
      attempt.samples["step_time_us"] = {1.0 + static_cast<double>(i), 2.0};
      if (std::string_view(label) == "bad" && i == 2) attempt.status = results::attempt_status::noisy;
      if (std::string_view(label) != "none") point.attempts.push_back(attempt);
      runs[i].points.push_back(point);
    }
  }
  const noise_recording made =
      recording_of(runs, "w", {{"good", {}}, {"bad", {}}, {"none", {}}, {"missing", {}}});
  ASSERT_EQ(made.points.size(), 1u);
  EXPECT_EQ(made.points[0].label, "good");
  EXPECT_EQ(made.points[0].system, "ess");
  EXPECT_EQ(made.points[0].runs[3], (std::vector{4.0, 2.0}));
}

}  // namespace
}  // namespace harness
