#include "harness/gating/gate.h"

#include <chrono>

namespace harness {
namespace {

using results::verdict;

// A step of `us` for both arms' only point, times `after` in the second arm.
void append(std::size_t blocks, double after, two_arms& into) {
  for (std::size_t i = 0; i < blocks; ++i) {
    const std::size_t block = into.before.size();
    const auto run = [&](double us, bool second) {
      results::attempt_record attempt;
      attempt.metrics["step_time_us"] = {us, us, us, 1, "us"};
      results::loaded_run made;
      made.run.started_at = results::utc_time(std::chrono::seconds(2 * block + (second ? 1 : 0)));
      made.points.push_back(
          {.point = {.label = "ess", .system = "ess", .clock = "wall"}, .attempts = {attempt}});
      return made;
    };
    const double us = 1000.0 + static_cast<double>(block % 3);
    into.before.push_back(run(us, false));
    into.after.push_back(run(us * after, true));
  }
}

TEST(gate, what_is_the_same_is_measured_once) {
  int calls = 0;
  const gate_outcome made = measure_and_judge({}, [&](std::size_t blocks, two_arms& into) {
    ++calls;
    append(blocks, 1.0, into);
  });
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(made.measured_again);
  EXPECT_EQ(made.judged.judgements.at(0).what, verdict::same);
  EXPECT_EQ(made.judged.runs_before, 10u);
}

TEST(gate, a_slowdown_that_stays_is_one) {
  const gate_outcome made =
      measure_and_judge({}, [](std::size_t blocks, two_arms& into) { append(blocks, 1.1, into); });
  EXPECT_TRUE(made.measured_again);
  EXPECT_EQ(made.judged.runs_before, 20u);
  EXPECT_EQ(made.judged.judgements.at(0).what, verdict::slower);
}

TEST(gate, a_slowdown_that_does_not_come_twice_is_none) {
  int calls = 0;
  const gate_outcome made = measure_and_judge(
      {}, [&](std::size_t blocks, two_arms& into) { append(blocks, calls++ == 0 ? 1.1 : 1.0, into); });
  EXPECT_TRUE(made.measured_again);
  EXPECT_NE(made.judged.judgements.at(0).what, verdict::slower);
}

TEST(gate, half_a_threshold_is_worth_a_second_look) {
  const gate_outcome made =
      measure_and_judge({}, [](std::size_t blocks, two_arms& into) { append(blocks, 1.02, into); });
  EXPECT_TRUE(made.measured_again);
  EXPECT_EQ(made.judged.judgements.at(0).what, verdict::same);
}

TEST(gate, turns_alternate) {
  EXPECT_EQ(first_of_block(0), which_arm::before);
  EXPECT_EQ(first_of_block(1), which_arm::after);
  EXPECT_EQ(other(which_arm::before), which_arm::after);
}

}  // namespace
}  // namespace harness
