#include "results/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "ess_core/base/random.h"

namespace results {
namespace {

std::vector<double> first_numbers(int n) {
  std::vector<double> all;
  for (int i = 1; i <= n; ++i) all.push_back(i);
  return all;
}

// Skewed, median ln 2: the intervals must not need a symmetric distribution.
std::vector<double> exponential(int n, std::uint64_t seed, std::uint32_t stream) {
  const ess::counter_rng rng(seed, ess::purpose::microbenchmark, stream);
  std::vector<double> all;
  for (int i = 0; i < n; ++i) all.push_back(-std::log1p(-rng.uniform(static_cast<std::uint64_t>(i))));
  return all;
}

TEST(median, is_the_middle_or_between_the_two_middle_values) {
  EXPECT_EQ(median(std::vector{3.0}), 3.0);
  EXPECT_EQ(median(std::vector{9.0, 1.0, 5.0}), 5.0);
  EXPECT_EQ(median(std::vector{4.0, 1.0, 9.0, 2.0}), 3.0);
  EXPECT_EQ(median(std::vector{7.0, 7.0, 1.0, 7.0}), 7.0);
}

TEST(quantile, is_linear_between_neighbours) {
  const std::vector<double> samples = {40, 10, 30, 20};
  EXPECT_EQ(quantile(samples, 0.0), 10.0);
  EXPECT_EQ(quantile(samples, 1.0), 40.0);
  EXPECT_EQ(quantile(samples, 0.5), 25.0);
  EXPECT_DOUBLE_EQ(quantile(samples, 0.25), 17.5);
  EXPECT_DOUBLE_EQ(quantile(first_numbers(101), 0.99), 100.0);
  EXPECT_EQ(quantile(std::vector{5.0}, 0.99), 5.0);
}

TEST(geometric_mean, of_known_numbers) {
  EXPECT_DOUBLE_EQ(geometric_mean(std::vector{2.0, 8.0}), 4.0);
  EXPECT_DOUBLE_EQ(geometric_mean(std::vector{0.5, 2.0, 1.0}), 1.0);
}

TEST(statistics, refuse_what_has_no_answer) {
  const std::vector<double> none;
  const std::vector<double> nan = {1.0, std::numeric_limits<double>::quiet_NaN()};
  for (const auto& bad : {none, nan}) {
    EXPECT_THROW((void)median(bad), std::invalid_argument);
    EXPECT_THROW((void)quantile(bad, 0.5), std::invalid_argument);
    EXPECT_THROW((void)geometric_mean(bad), std::invalid_argument);
    EXPECT_THROW((void)estimate_median(bad), std::invalid_argument);
    EXPECT_THROW((void)bootstrap_ratio_of_medians(bad, std::vector{1.0}), std::invalid_argument);
    EXPECT_THROW((void)bootstrap_ratio_of_medians(std::vector{1.0}, bad), std::invalid_argument);
  }
  EXPECT_THROW((void)quantile(std::vector{1.0}, 1.5), std::invalid_argument);
  EXPECT_THROW((void)geometric_mean(std::vector{1.0, 0.0}), std::invalid_argument);
}

// Ranks and coverages of the 95 % interval as statistical tables print them.
TEST(estimate_median, has_the_ranks_of_the_tables) {
  struct row {
    int n;
    int k;
    double coverage;
  };
  for (const row& of :
       {row{6, 1, 0.96875}, row{8, 1, 0.9921875}, row{9, 2, 0.9609375}, row{10, 2, 0.978515625},
        row{20, 6, 0.9586105}, row{30, 10, 0.9572260}, row{100, 40, 0.9647998}}) {
    const median_estimate made = estimate_median(first_numbers(of.n));
    EXPECT_EQ(made.method, interval_method::order_statistics);
    EXPECT_EQ(made.bounds, (interval{static_cast<double>(of.k), static_cast<double>(of.n + 1 - of.k)}))
        << of.n;
    EXPECT_NEAR(made.coverage, of.coverage, 5e-7) << of.n;
    EXPECT_EQ(made.n, static_cast<std::size_t>(of.n));
  }
}

TEST(estimate_median, says_so_where_samples_are_too_few) {
  const median_estimate five = estimate_median(first_numbers(5));
  EXPECT_EQ(to_string(five.method), "range");
  EXPECT_EQ(five.bounds, (interval{1, 5}));
  EXPECT_DOUBLE_EQ(five.coverage, 0.9375);
  const median_estimate one = estimate_median(std::vector{3.0});
  EXPECT_EQ(one.bounds, (interval{3, 3}));
  EXPECT_EQ(one.coverage, 0.0);
  EXPECT_EQ(to_string(estimate_median(first_numbers(6)).method), "order_statistics");
  EXPECT_EQ(estimate_median(first_numbers(5), 0.9).method, interval_method::order_statistics);
}

// Beyond n = 1075, where 2^-n is no double. The normal approximation gives k = n/2 - 0.98 sqrt(n) within one.
TEST(estimate_median, holds_for_many_samples) {
  const median_estimate made = estimate_median(first_numbers(10'000));
  EXPECT_NEAR(made.bounds.lo, 5000 - 0.98 * 100, 1.5);
  EXPECT_NEAR(made.bounds.hi, 10'001 - made.bounds.lo, 0.0);
  EXPECT_GE(made.coverage, 0.95);
  EXPECT_LT(made.coverage, 0.952);
}

TEST(estimate_median, covers_the_median_as_often_as_it_says) {
  constexpr int trials = 4000;
  for (const int n : {6, 13, 40}) {
    int covered = 0;
    double says = 0.0;
    for (int t = 0; t < trials; ++t) {
      const auto samples = exponential(n, 11, static_cast<std::uint32_t>(1000 * n + t));
      const median_estimate made = estimate_median(samples);
      covered += made.bounds.contains(std::log(2.0)) ? 1 : 0;
      says = made.coverage;
    }
    EXPECT_NEAR(static_cast<double>(covered) / trials, says, 0.012) << "n " << n << ", seed 11";
  }
}

TEST(summarise, keeps_median_bounds_and_count) {
  EXPECT_EQ(summarise(first_numbers(10), "us"),
            (metric_value{.median = 5.5, .lo = 2, .hi = 9, .n = 10, .unit = "us"}));
}

TEST(bootstrap, is_the_same_for_the_same_seed_only) {
  const auto a = exponential(30, 1, 0);
  const auto b = exponential(30, 1, 1);
  EXPECT_EQ(bootstrap_ratio_of_medians(a, b), bootstrap_ratio_of_medians(a, b));
  EXPECT_NE(bootstrap_ratio_of_medians(a, b), bootstrap_ratio_of_medians(a, b, {.seed = 2}));
}

TEST(bootstrap, of_constant_samples_is_a_point) {
  const std::vector<double> three(7, 3.0);
  const std::vector<double> two(5, 2.0);
  EXPECT_EQ(bootstrap_ratio_of_medians(three, two), (interval{1.5, 1.5}));
}

// Resampling the same samples on both sides must not draw the same numbers, or the ratio would always be 1.
TEST(bootstrap, resamples_both_sides_apart) {
  const auto a = exponential(30, 1, 0);
  const interval of_itself = bootstrap_ratio_of_medians(a, a);
  EXPECT_LT(of_itself.lo, 0.95);
  EXPECT_GT(of_itself.hi, 1.05);
  EXPECT_TRUE(of_itself.contains(1.0));
}

TEST(bootstrap, covers_the_true_ratio_about_as_often_as_it_should) {
  constexpr int trials = 600;
  int covered = 0;
  for (std::uint32_t t = 0; t < trials; ++t) {
    auto b = exponential(25, 17, 2 * t);
    for (double& x : b) x *= 1.3;
    const auto a = exponential(25, 17, 2 * t + 1);
    covered += bootstrap_ratio_of_medians(b, a, {.replicates = 300}).contains(1.3) ? 1 : 0;
  }
  const double share = static_cast<double>(covered) / trials;
  EXPECT_GT(share, 0.92) << "seed 17";
  EXPECT_LT(share, 0.99) << "seed 17";
}

// Drawing ranks for 1,000 samples gives the interval that resampling 999 of them gives.
TEST(statistics, intervals_of_many_samples_are_those_of_resampling) {
  std::vector<double> many;
  const ess::counter_rng draw(5, ess::purpose::microbenchmark);
  for (std::uint64_t i = 0; i < 1000; ++i) many.push_back(100 + 10 * draw.uniform(i));
  const std::vector<double> fewer(many.begin(), many.end() - 1);
  const std::vector<double> one = {100};
  const interval drawn = bootstrap_ratio_of_medians(many, one, {.replicates = 20'000});
  const interval resampled = bootstrap_ratio_of_medians(fewer, one, {.replicates = 20'000});
  EXPECT_NEAR(drawn.lo, resampled.lo, 0.0008);  // a tenth of the interval
  EXPECT_NEAR(drawn.hi, resampled.hi, 0.0008);
  EXPECT_GT(drawn.hi - drawn.lo, 0.005);
}

}  // namespace
}  // namespace results
