#include "ess_core/reference/linear.h"

#include <cassert>
#include <cmath>

namespace ess::reference {
namespace {

// The same product for a right-hand side that is already double.
template <typename real>
std::vector<double> multiply(std::span<const float> weights, std::span<const real> x) {
  assert(!x.empty() && weights.size() % x.size() == 0);
  std::vector<double> y(weights.size() / x.size());
  for (std::size_t row = 0; row < y.size(); ++row) {
    for (std::size_t i = 0; i < x.size(); ++i) y[row] += double{weights[row * x.size() + i]} * x[i];
  }
  return y;
}

double mean(std::span<const float> x) {
  double sum = 0;
  for (const float value : x) sum += value;
  return sum / static_cast<double>(x.size());
}

double mean_square_around(std::span<const float> x, double centre) {
  double sum = 0;
  for (const float value : x) sum += (value - centre) * (value - centre);
  return sum / static_cast<double>(x.size());
}

double silu(double a) { return a / (1.0 + std::exp(-a)); }

}  // namespace

std::vector<double> matrix_vector(std::span<const float> weights, std::span<const float> x) {
  return multiply(weights, x);
}

std::vector<double> rms_norm(std::span<const float> x, std::span<const float> weight, double epsilon) {
  assert(x.size() == weight.size());
  const double inverse = 1.0 / std::sqrt(mean_square_around(x, 0.0) + epsilon);
  std::vector<double> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] * inverse * weight[i];
  return y;
}

std::vector<double> layer_norm(std::span<const float> x, std::span<const float> weight,
                               std::span<const float> bias, double epsilon) {
  assert(x.size() == weight.size() && x.size() == bias.size());
  const double centre = mean(x);
  const double inverse = 1.0 / std::sqrt(mean_square_around(x, centre) + epsilon);
  std::vector<double> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = (x[i] - centre) * inverse * weight[i] + bias[i];
  return y;
}

std::vector<double> gated_feed_forward(std::span<const float> gate, std::span<const float> up,
                                       std::span<const float> down, std::span<const float> x) {
  std::vector<double> inner = multiply(gate, x);
  const std::vector<double> factor = multiply(up, x);
  assert(inner.size() == factor.size());
  for (std::size_t i = 0; i < inner.size(); ++i) inner[i] = silu(inner[i]) * factor[i];
  return multiply(down, std::span<const double>(inner));
}

std::vector<float> to_float(std::span<const double> values) {
  std::vector<float> rounded(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) rounded[i] = static_cast<float>(values[i]);
  return rounded;
}

}  // namespace ess::reference
