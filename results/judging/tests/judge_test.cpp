#include "results/judging/judge.h"

#include <functional>
#include <nlohmann/json.hpp>

#include "results/tests/example_run.h"

namespace results {
namespace {

using testing::an_example_run;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::point_of;

// `blocks` runs an arm, taken A B B A ..., with the noise of block i in both of its runs. What `change` does
// to a run happens to those of the second arm.
struct two_arms {
  arm before, after;
};

void scale(loaded_run& run, const char* label, const char* metric, double by) {
  point_of(run, label).attempts.back().metrics.at(metric).median *= by;
}

two_arms arms(std::size_t blocks, const std::function<void(loaded_run&)>& change = {}) {
  constexpr std::array wobble = {0.0, 0.004, -0.003, 0.002, -0.004, 0.003, -0.002, 0.001, -0.001, 0.0005};
  two_arms made;
  for (std::size_t i = 0; i < 2 * blocks; ++i) {
    loaded_run run = an_example_run();
    run.run.started_at += std::chrono::seconds(i);
    const double noise = 1 + wobble[i * 7 % wobble.size()];
    for (const char* metric : {"step_time_us", "op_attend_us", "op_fetch_us"})
      scale(run, "ess", metric, noise);
    const bool is_after = i % 4 == 1 || i % 4 == 2;
    if (is_after && change) change(run);
    (is_after ? made.after : made.before).push_back(std::move(run));
  }
  return made;
}

judged_arms judged(const two_arms& of, const judging_options& options = {}) {
  return judge(of.before, of.after, options);
}

const judgement& about(const judged_arms& of, std::string_view label, std::string_view metric) {
  for (const judgement& j : of.judgements) {
    if (j.label == label && j.metric == metric) return j;
  }
  throw std::out_of_range("not judged");
}

TEST(judge, verdicts_are_a_closed_set_of_words) {
  for (int v = 0; v < verdict_count; ++v) {
    EXPECT_EQ(parse_verdict(to_string(static_cast<verdict>(v))), static_cast<verdict>(v));
  }
  EXPECT_EQ(parse_verdict("better"), std::nullopt);
}

TEST(judge, the_same_build_is_the_same) {
  const judged_arms made = judged(arms(10));
  EXPECT_TRUE(made.interleaved);
  EXPECT_EQ(about(made, "ess", "step_time_us").what, verdict::same);
  EXPECT_EQ(about(made, "ess", "misses_over_topk").what, verdict::same);
  EXPECT_FALSE(made.any(verdict::slower));
  EXPECT_FALSE(made.any(verdict::ambiguous));
  EXPECT_TRUE(made.overall_bounds.contains(1.0));
}

TEST(judge, a_slower_step_and_the_operation_that_did_it) {
  const judged_arms made = judged(arms(10, [](loaded_run& run) {
    scale(run, "ess", "step_time_us", 1.10);
    scale(run, "ess", "op_attend_us", 1.30);
  }));
  const judgement& ess = about(made, "ess", "step_time_us");
  EXPECT_EQ(ess.what, verdict::slower);
  EXPECT_NEAR(ess.ratio, 1.10, 0.01);
  EXPECT_TRUE(ess.is_suspect());
  ASSERT_EQ(ess.operations.size(), 1u);
  EXPECT_EQ(ess.operations[0].kind, "attend");
  EXPECT_EQ(about(made, "all_gpu", "step_time_us").what, verdict::same);
  EXPECT_THAT(show_judged(made), HasSubstr("attend 21005 -> 27307 us (+30.0 %)"));
}

TEST(judge, a_faster_step) {
  const judged_arms made = judged(arms(10, [](loaded_run& run) { scale(run, "ess", "step_time_us", 0.9); }));
  EXPECT_EQ(about(made, "ess", "step_time_us").what, verdict::faster);
  EXPECT_FALSE(about(made, "ess", "step_time_us").is_suspect());
}

TEST(judge, few_blocks_are_ambiguous_at_best) {
  const judged_arms made = judged(arms(5, [](loaded_run& run) { scale(run, "ess", "step_time_us", 3.0); }));
  EXPECT_EQ(about(made, "ess", "step_time_us").what, verdict::ambiguous);
  EXPECT_EQ(about(made, "ess", "step_time_us").why, "5 blocks; a verdict takes 6");
  EXPECT_FALSE(made.any(verdict::slower));
}

TEST(judge, counts_need_one_block_and_no_luck) {
  const judged_arms made = judged(arms(2, [](loaded_run& run) {
    scale(run, "ess", "misses_over_topk", 1.02);
    scale(run, "ess", "batch_max", 2.0);
    scale(run, "ess", "device_bytes", 1.0009);
  }));
  EXPECT_EQ(about(made, "ess", "misses_over_topk").what, verdict::slower);
  EXPECT_EQ(about(made, "ess", "batch_max").what, verdict::faster);
  EXPECT_EQ(about(made, "ess", "device_bytes").what, verdict::same);
}

TEST(judge, counts_that_vary_are_judged_as_times_are) {
  int n = 0;
  const judged_arms made =
      judged(arms(3, [&](loaded_run& run) { scale(run, "ess", "misses_over_topk", 1.02 + 0.01 * n++); }));
  EXPECT_EQ(about(made, "ess", "misses_over_topk").what, verdict::ambiguous);
}

TEST(judge, a_change_below_the_floor_is_not_slower) {
  const auto slow = arms(10, [](loaded_run& run) { scale(run, "ess", "step_time_us", 1.10); });
  judging_options options{.floors = {{{"ess", "step_time_us"}, {.interleaved = 0.15, .sequential = 0.3}}}};
  const judgement below = about(judged(slow, options), "ess", "step_time_us");
  EXPECT_EQ(below.what, verdict::same);
  EXPECT_DOUBLE_EQ(below.threshold, 0.15);
  EXPECT_TRUE(below.floor_is_measured);
  options.floors.begin()->second.interleaved = 0.05;
  EXPECT_EQ(about(judged(slow, options), "ess", "step_time_us").what, verdict::slower);
}

// Without recorded noise a median beyond the threshold is not enough.
TEST(judge, without_a_recorded_floor_the_whole_interval_counts) {
  int n = 0;
  const auto wild = arms(
      10, [&](loaded_run& run) { scale(run, "ess", "step_time_us", 1.06 * (n++ % 2 == 0 ? 0.96 : 1.04)); });
  const judgement made = about(judged(wild), "ess", "step_time_us");
  EXPECT_GT(made.ratio, 1.03);
  EXPECT_EQ(made.what, verdict::ambiguous);
  EXPECT_EQ(made.why, "too noisy to tell");
}

TEST(judge, arms_that_were_not_taken_in_turns_need_recorded_noise) {
  two_arms slow = arms(10, [](loaded_run& run) { scale(run, "ess", "step_time_us", 1.5); });
  for (loaded_run& run : slow.after) run.run.started_at += std::chrono::hours(1);
  EXPECT_FALSE(judged(slow).interleaved);
  EXPECT_EQ(about(judged(slow), "ess", "step_time_us").what, verdict::ambiguous);
  const judging_options options{
      .floors = {{{"ess", "step_time_us"}, {.interleaved = 0.01, .sequential = 0.2}}}};
  EXPECT_EQ(about(judged(slow, options), "ess", "step_time_us").what, verdict::slower);
  EXPECT_DOUBLE_EQ(about(judged(slow, options), "ess", "step_time_us").threshold, 0.2);
}

TEST(judge, unlike_machines_are_not_judged) {
  const judged_arms made =
      judged(arms(10, [](loaded_run& run) { run.env["cpu"]["model"] = "Example 4000"; }));
  EXPECT_THAT(made.objections,
              ElementsAre("environment.cpu.model: \"Example 3000\" against \"Example 4000\""));
  EXPECT_TRUE(made.judgements.empty());
  EXPECT_THAT(show_judged(made), HasSubstr("incomparable: environment.cpu.model"));
}

TEST(judge, wrong_results_and_failures_are_told_apart) {
  const judged_arms made = judged(arms(6, [](loaded_run& run) {
    point_of(run, "ess").attempts.back() = {.status = attempt_status::incorrect, .reason = "wrong"};
    point_of(run, "all_gpu").attempts.back() = {.status = attempt_status::error, .reason = "gone"};
    point_of(run, "uncapped").point.label = "no cap";
  }));
  EXPECT_THAT(made.turned_incorrect, ElementsAre("ess"));
  EXPECT_THAT(made.turned_failing, ElementsAre("all_gpu"));
  EXPECT_THAT(made.only_before, ElementsAre("uncapped"));
  EXPECT_THAT(made.only_after, ElementsAre("no cap"));
  EXPECT_EQ(about(made, "ess", "").why, "status ok against incorrect");
}

TEST(judge, a_virtual_clock_needs_one_run) {
  const judged_arms made = judged(arms(1, [](loaded_run& run) { scale(run, "ess", "step_time_us", 1.05); }));
  EXPECT_EQ(about(made, "ess", "step_time_us").what, verdict::ambiguous);
  two_arms simulated = arms(1, [](loaded_run& run) { scale(run, "ess", "step_time_us", 1.05); });
  for (arm* runs : {&simulated.before, &simulated.after}) {
    for (loaded_run& run : *runs) point_of(run, "ess").point.clock = "virtual";
  }
  EXPECT_EQ(about(judged(simulated), "ess", "step_time_us").what, verdict::slower);
}

TEST(judge, holm_makes_a_family_of_points_stricter) {
  std::vector<judgement> all(4);
  for (judgement& j : all) {
    j = {.ratio = 1.10, .bounds = {1.05, 1.15}, .p = 0.02, .threshold = 0.03, .blocks = 10};
  }
  settle(all, {});
  for (const judgement& j : all) EXPECT_EQ(j.what, verdict::ambiguous);
  EXPECT_EQ(all[0].why, "beyond the threshold, but not beyond chance");
  all.resize(1);
  all[0].p = 0.02;
  settle(all, {});
  EXPECT_EQ(all[0].what, verdict::slower);
}

TEST(judge, json_and_markdown_say_the_same) {
  const judged_arms made = judged(arms(10, [](loaded_run& run) {
    scale(run, "ess", "step_time_us", 1.10);
    scale(run, "ess", "op_attend_us", 1.30);
  }));
  const auto json = judged_json(made);
  for (const auto& j : json.at("judgements")) {
    if (j.at("label") != "ess" || j.at("metric") != "step_time_us") continue;
    EXPECT_EQ(j.at("verdict"), "slower");
    EXPECT_EQ(j.at("blocks"), 10);
    EXPECT_EQ(j.at("operations").at(0).at("operation"), "attend");
  }
  EXPECT_THAT(judged_markdown(made), HasSubstr("| slower | attend 21005 -> 27307 us (+30.0 %) |"));
}

}  // namespace
}  // namespace results
