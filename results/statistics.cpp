#include "results/statistics.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "ess_core/base/random.h"

namespace results {
namespace {

void check(std::span<const double> samples) {
  if (samples.empty()) throw std::invalid_argument("statistics of no samples");
  if (std::ranges::any_of(samples, [](double x) { return std::isnan(x); })) {
    throw std::invalid_argument("statistics of samples that are not numbers");
  }
}

std::vector<double> sorted(std::span<const double> samples) {
  check(samples);
  std::vector<double> copy(samples.begin(), samples.end());
  std::ranges::sort(copy);
  return copy;
}

// Reorders its argument.
double median_in_place(std::span<double> samples) {
  const std::size_t half = samples.size() / 2;
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(half);
  std::nth_element(samples.begin(), middle, samples.end());
  if (samples.size() % 2 == 1) return *middle;
  return std::midpoint(*std::max_element(samples.begin(), middle), *middle);
}

double quantile_of_sorted(std::span<const double> values, double q) {
  const double position = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return std::lerp(values[below], values[above], position - static_cast<double>(below));
}

// The largest k >= 1 with 1 - 2 P(B(n, 1/2) < k) >= confidence and that coverage, or k = 0.
// Probabilities by their logarithms: 2^-n leaves the range of a double at n = 1075.
std::pair<std::size_t, double> order_for(std::size_t n, double confidence) {
  const auto count = static_cast<double>(n);
  double log_probability = -count * std::log(2.0);  // of k - 1 = 0
  double below = 0.0;
  std::pair<std::size_t, double> best = {0, 0.0};
  for (std::size_t k = 1; 2 * k <= n; ++k) {
    below += std::exp(log_probability);
    const double coverage = 1.0 - 2.0 * below;
    if (coverage < confidence) break;
    best = {k, coverage};
    log_probability += std::log((count - static_cast<double>(k) + 1.0) / static_cast<double>(k));
  }
  return best;
}

// From this many samples on, where a resampled median lies is drawn instead of every sample.
constexpr std::size_t many_samples = 1000;

// Standard normal, by Box and Muller.
double normal(const ess::counter_rng& rng, std::uint64_t index) {
  const double radius = std::sqrt(-2.0 * std::log1p(-rng.uniform(2 * index)));
  return radius * std::cos(2.0 * std::numbers::pi * rng.uniform(2 * index + 1));
}

// The rank of a median among n resampled ones is n times a Beta((n + 1) / 2, (n + 1) / 2) variable: normal,
// mean 1/2 and variance 1 / (4 (n + 2)), up to terms of 1 / n.
double median_by_rank(std::span<const double> sorted_samples, const ess::counter_rng& rng,
                      std::uint64_t replicate) {
  const auto n = static_cast<double>(sorted_samples.size());
  const double rank = n * (0.5 + normal(rng, replicate) / (2.0 * std::sqrt(n + 2.0)));
  return sorted_samples[static_cast<std::size_t>(std::clamp(rank, 0.0, n - 1.0))];
}

// The median of one resampling; draw i of replicate r has the counter r * n + i.
double resampled_median(std::span<const double> samples, const ess::counter_rng& rng, std::uint64_t replicate,
                        std::vector<double>& scratch) {
  scratch.resize(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    scratch[i] = samples[rng.below(samples.size(), replicate * samples.size() + i)];
  }
  return median_in_place(scratch);
}

// Medians of samples drawn with replacement.
class resampler {
 public:
  resampler(std::span<const double> samples, const ess::counter_rng& rng)
      : samples_(samples),
        sorted_(samples.size() < many_samples ? std::vector<double>{} : sorted(samples)),
        rng_(rng) {}

  [[nodiscard]] double median(std::uint64_t replicate) const {
    return sorted_.empty() ? resampled_median(samples_, rng_, replicate, scratch_)
                           : median_by_rank(sorted_, rng_, replicate);
  }

 private:
  std::span<const double> samples_;
  std::vector<double> sorted_;
  const ess::counter_rng& rng_;
  mutable std::vector<double> scratch_;
};

}  // namespace

double median(std::span<const double> samples) {
  check(samples);
  std::vector<double> copy(samples.begin(), samples.end());
  return median_in_place(copy);
}

double quantile(std::span<const double> samples, double q) {
  if (!(q >= 0.0 && q <= 1.0)) throw std::invalid_argument("a quantile is between 0 and 1");
  return quantile_of_sorted(sorted(samples), q);
}

double geometric_mean(std::span<const double> values) {
  check(values);
  double sum = 0.0;
  for (const double value : values) {
    if (value <= 0.0) throw std::invalid_argument("geometric mean of a number that is not positive");
    sum += std::log(value);
  }
  return std::exp(sum / static_cast<double>(values.size()));
}

std::string_view to_string(interval_method method) {
  return method == interval_method::order_statistics ? "order_statistics" : "range";
}

median_estimate estimate_median(std::span<const double> samples, double confidence) {
  const std::vector<double> values = sorted(samples);
  const auto [k, coverage] = order_for(values.size(), confidence);
  median_estimate made{.median = quantile_of_sorted(values, 0.5), .n = values.size()};
  if (k == 0) {
    made.bounds = {values.front(), values.back()};
    made.coverage = 1.0 - std::exp2(1.0 - static_cast<double>(values.size()));
  } else {
    made.bounds = {values[k - 1], values[values.size() - k]};
    made.method = interval_method::order_statistics;
    made.coverage = coverage;
  }
  return made;
}

metric_value summarise(std::span<const double> samples, std::string unit) {
  const median_estimate of = estimate_median(samples);
  return {.median = of.median,
          .lo = of.bounds.lo,
          .hi = of.bounds.hi,
          .n = static_cast<std::int64_t>(of.n),
          .unit = std::move(unit)};
}

interval bootstrap_ratio_of_medians(std::span<const double> numerator, std::span<const double> denominator,
                                    const bootstrap_options& options) {
  check(numerator);
  check(denominator);
  if (options.replicates < 1) throw std::invalid_argument("bootstrap without replicates");
  const ess::counter_rng above(options.seed, ess::purpose::bootstrap, 0);
  const ess::counter_rng below(options.seed, ess::purpose::bootstrap, 1);
  const resampler top(numerator, above), bottom(denominator, below);
  std::vector<double> ratios;
  for (std::uint64_t r = 0; r < static_cast<std::uint64_t>(options.replicates); ++r)
    ratios.push_back(top.median(r) / bottom.median(r));
  std::ranges::sort(ratios);
  const double tail = (1.0 - options.confidence) / 2.0;
  return {quantile_of_sorted(ratios, tail), quantile_of_sorted(ratios, 1.0 - tail)};
}

}  // namespace results
