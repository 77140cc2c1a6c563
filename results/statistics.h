// Order statistics of samples. Nothing here assumes a distribution; the intervals assume independent samples.
// Samples must not be empty, and no number may be NaN: std::invalid_argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "results/record.h"

namespace results {

// The middle value, or the mean of the two middle values.
[[nodiscard]] double median(std::span<const double> samples);
// 0 <= q <= 1. Linear between neighbours: position q (n - 1) of the sorted samples (Hyndman and Fan's type
// 7).
[[nodiscard]] double quantile(std::span<const double> samples, double q);
// Of positive numbers.
[[nodiscard]] double geometric_mean(std::span<const double> values);

struct interval {
  double lo = 0.0;
  double hi = 0.0;

  [[nodiscard]] bool contains(double value) const { return lo <= value && value <= hi; }
  friend bool operator==(const interval&, const interval&) = default;
};

enum class interval_method : std::uint8_t {
  order_statistics,  // covers the median with at least the confidence asked for
  range,             // too few samples for that: smallest and largest
};
[[nodiscard]] std::string_view to_string(interval_method method);

struct median_estimate {
  double median = 0.0;
  interval bounds;
  interval_method method = interval_method::range;
  double coverage = 0.0;  // that the bounds have; at least the confidence asked for, unless method is range
  std::size_t n = 0;
};

// Bounds are the k-th smallest and the k-th largest sample, for the largest k whose coverage
// 1 - 2 P(Binomial(n, 1/2) < k) is at least `confidence`. At 95 % this takes six samples.
[[nodiscard]] median_estimate estimate_median(std::span<const double> samples, double confidence = 0.95);

// What a metric with these samples stores.
[[nodiscard]] metric_value summarise(std::span<const double> samples, std::string unit);

struct bootstrap_options {
  int replicates = 2000;
  double confidence = 0.95;
  std::uint64_t seed = 1;
};

// Percentile interval of median(numerator) / median(denominator), both resampled with replacement. The same
// samples and seed give the same bits everywhere; from 1,000 samples on, where the rank of a resampled median
// is drawn from its normal limit, up to the last bit of a logarithm.
[[nodiscard]] interval bootstrap_ratio_of_medians(std::span<const double> numerator,
                                                  std::span<const double> denominator,
                                                  const bootstrap_options& options = {});

}  // namespace results
