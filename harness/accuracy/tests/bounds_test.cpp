#include "harness/accuracy/bounds.h"

#include <cmath>
#include <limits>

#include "ess_core/step/operation.h"

namespace harness {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr float nan_f = std::numeric_limits<float>::quiet_NaN();

TEST(bounds, each_figure_is_named_once_and_says_why) {
  for (const figure_bound& bound : figure_bounds()) {
    EXPECT_EQ(find_bound(bound.name), &bound) << bound.name;
    EXPECT_FALSE(bound.why.empty()) << bound.name;
    const std::string_view of = bound.name.substr(0, bound.name.find('.'));
    EXPECT_TRUE(ess::parse_op_kind(of) || of == "recorded" || of == "vs_all_gpu") << bound.name;
  }
}

TEST(bounds, findings_keep_the_largest_figure_and_every_failure) {
  findings out;
  out.add("attend.output", 1e-6, {.step = 0, .layer = 1, .request = 4});
  EXPECT_TRUE(out.ok());
  out.add("attend.output", 0.5, {.step = 1, .layer = 2, .request = 4});
  findings other;
  other.add("attend.output", 0.25, {.step = 0, .layer = 2, .request = 7});
  other.add("vs_all_gpu.equal_ids_share", 0.1, {});
  out.merge(other);
  EXPECT_FALSE(out.ok());
  EXPECT_EQ(out.figures().at("attend.output"), 0.5);
  const auto all = out.failures(5);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0], "attend.output 0.25 above 5e-05 (layer 2, request 7, step 0)");
  const auto one = out.failures(1);
  ASSERT_EQ(one.size(), 2u);
  EXPECT_EQ(one[1], "and 1 more");
}

TEST(bounds, what_is_no_number_fails_and_stays_finite) {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), infinity}) {
    findings out;
    out.add("attend.output", bad, {});
    EXPECT_FALSE(out.ok());
    EXPECT_TRUE(std::isfinite(out.figures().at("attend.output")));
  }
}

TEST(bounds, errors_are_relative_to_the_largest_value_wanted) {
  const std::vector<double> want = {1.0, -4.0};
  EXPECT_DOUBLE_EQ(relative_error(std::vector{1.5f, -4.0f}, want), 0.125);
  EXPECT_GT(relative_error(std::vector{nan_f, -4.0f}, want), 1e300);
  EXPECT_GT(relative_error(std::vector{1.0f}, want), 1e300);
  EXPECT_GT(relative_error(std::vector{1.0f}, std::vector{0.0}), 1e300);
  EXPECT_EQ(relative_error(std::vector{0.0f}, std::vector{0.0}), 0.0);
}

TEST(bounds, logarithms_err_absolutely_near_zero_and_may_be_infinite) {
  const auto inf_f = static_cast<float>(infinity);
  EXPECT_DOUBLE_EQ(log_error(std::vector{0.5f}, std::vector{0.25}), 0.25);
  EXPECT_DOUBLE_EQ(log_error(std::vector{9.0f}, std::vector{8.0}), 0.125);
  EXPECT_EQ(log_error(std::vector{inf_f}, std::vector{infinity}), 0.0);
  EXPECT_GT(log_error(std::vector{inf_f}, std::vector{1.0}), 1e300);
  EXPECT_GT(log_error(std::vector{nan_f}, std::vector{1.0}), 1e300);
}

}  // namespace
}  // namespace harness
