#include "ess_core/device/sim/cost_table.h"

namespace ess::sim {
namespace {

cost_table two_curves() {
  return {{{.x = 1, .points = {{1, 10}, {100, 1000}}}, {.x = 4, .points = {{1, 40}, {10, 400}}}},
          evidence::measured,
          "a test"};
}

TEST(cost_table, gives_back_what_was_measured) {
  EXPECT_DOUBLE_EQ(two_curves().at(1, 100).us, 1000);
  EXPECT_DOUBLE_EQ(two_curves().at(4, 10).us, 400);
  EXPECT_EQ(two_curves().at(4, 10).stretch, 1);
}

TEST(cost_table, interpolates_in_logarithms_along_both_sizes) {
  EXPECT_NEAR(two_curves().at(1, 10).us, 100, 1e-9);
  EXPECT_NEAR(two_curves().at(2, 10).us, 200, 1e-9);
}

TEST(cost_table, goes_on_along_the_last_line_and_says_so) {
  const table_value beyond = two_curves().at(1, 200);
  EXPECT_NEAR(beyond.us, 2000, 1e-9);
  EXPECT_DOUBLE_EQ(beyond.stretch, 2);
  EXPECT_NEAR(two_curves().at(8, 10).us, 400 + 100.0 * 4, 1e-6);
  EXPECT_DOUBLE_EQ(two_curves().at(8, 10).stretch, 2);
}

TEST(cost_table, a_curve_that_ends_early_counts_where_it_is_used) {
  EXPECT_DOUBLE_EQ(two_curves().at(1, 50).stretch, 1);
  EXPECT_DOUBLE_EQ(two_curves().at(2, 50).stretch, 5);
}

TEST(cost_table, what_is_smaller_than_anything_measured_takes_the_least_time) {
  EXPECT_DOUBLE_EQ(two_curves().at(1, 0.5).us, 10);
  EXPECT_DOUBLE_EQ(two_curves().at(0.5, 1).us, 10);
}

TEST(cost_table, does_not_guess_far_out) {
  EXPECT_THROW((void)two_curves().at(1, 1001), beyond_table);
  EXPECT_THROW((void)two_curves().at(41, 1), beyond_table);
}

TEST(cost_table, refuses_sizes_out_of_order_and_times_that_are_none) {
  const auto make = [](std::vector<table_curve> curves) {
    return cost_table(std::move(curves), evidence::assumed, "");
  };
  EXPECT_THROW(make({{.x = 2, .points = {{1, 1}}}, {.x = 1, .points = {{1, 1}}}}), std::invalid_argument);
  EXPECT_THROW(make({{.x = 1, .points = {{2, 1}, {2, 1}}}}), std::invalid_argument);
  EXPECT_THROW(make({{.x = 1, .points = {{1, 0}}}}), std::invalid_argument);
  EXPECT_THROW(make({{.x = 1, .points = {}}}), std::invalid_argument);
}

}  // namespace
}  // namespace ess::sim
