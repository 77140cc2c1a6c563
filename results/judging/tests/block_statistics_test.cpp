#include "results/judging/block_statistics.h"

#include <cmath>
#include <stdexcept>

namespace results {
namespace {

TEST(block_statistics, ratios_of_blocks) {
  EXPECT_EQ(block_ratios(std::vector{2.0, 4.0}, std::vector{3.0, 4.0}), (std::vector{1.5, 1.0}));
  EXPECT_THROW((void)block_ratios(std::vector{2.0}, std::vector{3.0, 4.0}), std::invalid_argument);
  EXPECT_THROW((void)block_ratios(std::vector{0.0}, std::vector{3.0}), std::invalid_argument);
  EXPECT_THROW((void)block_ratios(std::vector<double>{}, std::vector<double>{}), std::invalid_argument);
}

// Exact p-values of scipy.stats.wilcoxon(log(ratios), method="exact"), where it can do them.
TEST(block_statistics, signed_rank_test_against_an_independent_one) {
  const std::vector<double> all_up = {1.01, 1.02, 1.03, 1.04, 1.05, 1.06};
  EXPECT_DOUBLE_EQ(signed_rank_p(all_up), 2.0 / 64);
  const std::vector<double> mixed = {1.05, 0.98, 1.03, 1.08, 0.99, 1.02, 1.11, 1.04};
  EXPECT_NEAR(signed_rank_p(mixed), 0.0546875, 1e-15);
  const std::vector<double> even = {1.1, 1 / 1.1, 1.2, 1 / 1.2};
  EXPECT_DOUBLE_EQ(signed_rank_p(even), 1.0);
}

TEST(block_statistics, signed_rank_test_of_ties_by_counting_all_signs) {
  // Four equal magnitudes, rank 2.5 each: 3 of 4 up has 5 of 16 outcomes at or beyond, on either side.
  EXPECT_DOUBLE_EQ(signed_rank_p(std::vector{2.0, 2.0, 2.0, 0.5}), 10.0 / 16);
  EXPECT_DOUBLE_EQ(signed_rank_p(std::vector{1.0, 1.0}), 1.0);
  EXPECT_DOUBLE_EQ(signed_rank_p(std::vector{1.0, 1.1}), 1.0);  // the one that is left says nothing
}

TEST(block_statistics, holm_adjusts_by_rank_and_never_falls) {
  const std::vector<double> p = {0.01, 0.04, 0.03, 0.005};
  const auto adjusted = holm_adjusted(p);
  const std::vector<double> expected = {0.03, 0.06, 0.06, 0.02};
  for (std::size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(adjusted[i], expected[i], 1e-15) << i;
  EXPECT_EQ(holm_adjusted(std::vector{0.9, 0.8}), (std::vector{1.0, 1.0}));
  EXPECT_TRUE(holm_adjusted({}).empty());
}

TEST(block_statistics, interval_of_the_median_ratio) {
  const std::vector<double> ratios = {1.00, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07, 1.08, 1.09};
  const interval bounds = bootstrap_median_ratio(ratios);
  EXPECT_TRUE(bounds.contains(1.045));
  EXPECT_GE(bounds.lo, 1.01);
  EXPECT_LE(bounds.hi, 1.08);
  EXPECT_EQ(bootstrap_median_ratio(ratios), bounds);  // the same seed, the same bits
  EXPECT_EQ(bootstrap_median_ratio(std::vector{1.5}), (interval{1.5, 1.5}));
}

TEST(block_statistics, points_of_a_geometric_mean_share_their_blocks) {
  // One point is the inverse of the other: whatever blocks are drawn, together they change nothing. With an
  // odd number of blocks the median is one of them, and so exactly inverse.
  const std::vector<double> up = {1.0, 1.1, 1.2, 1.3, 1.4};
  std::vector<double> down;
  for (const double x : up) down.push_back(1 / x);
  const interval bounds = bootstrap_geometric_mean(std::vector{up, down});
  EXPECT_NEAR(bounds.lo, 1.0, 1e-12);
  EXPECT_NEAR(bounds.hi, 1.0, 1e-12);
  EXPECT_THROW((void)bootstrap_geometric_mean(std::vector{up, {1.0}}), std::invalid_argument);
}

}  // namespace
}  // namespace results
