#include "harness/gating/qualification.h"

#include "harness/gating/tests/recordings.h"

namespace harness {
namespace {

TEST(qualification, a_quiet_machine_cries_never_and_sees_what_is_there) {
  const noise_recording of = testing::made_up(30, 0.01, 0.02);
  const qualification made = qualify(of, {.pairs = 100, .floor_draws = 2000});
  EXPECT_EQ(made.false_alarms, 0u);
  EXPECT_EQ(made.false_praise, 0u);
  ASSERT_EQ(made.points.size(), 2u);
  for (const qualified_point& point : made.points) {
    EXPECT_DOUBLE_EQ(point.slowdown, 0.05) << point.label;
    EXPECT_EQ(point.found, 100u) << point.label;
  }
}

// Runs that differ by up to 20 %: a slowdown of a percent cannot be seen, and is not claimed to be.
TEST(qualification, a_wild_machine_has_a_high_floor) {
  const noise_recording of = testing::made_up(30, 0.20, 0.02);
  const qualification made =
      qualify(of, {.pairs = 100, .floor_draws = 2000, .least_slowdown = 0.01, .slowdown_over_floor = 0});
  for (const qualified_point& point : made.points) {
    EXPECT_GT(point.floor.interleaved, 0.05) << point.label;
    EXPECT_LE(point.found, 1u) << point.label;
  }
  EXPECT_LE(made.false_alarms, 2u);
}

}  // namespace
}  // namespace harness
