// Double-precision reference of the dense parts of a layer. Every function takes what a device holds (f32)
// and sums in double, in plain loops: slow, and hard to get wrong.
#pragma once

#include <span>
#include <vector>

namespace ess::reference {

inline constexpr double norm_epsilon = 1e-6;  // of DeepSeek-V3.2's RMS and layer norms

// y = W x. weights: [out][in] row-major, in = size of x.
[[nodiscard]] std::vector<double> matrix_vector(std::span<const float> weights, std::span<const float> x);

// x / sqrt(mean(x^2) + epsilon) * weight.
[[nodiscard]] std::vector<double> rms_norm(std::span<const float> x, std::span<const float> weight,
                                           double epsilon = norm_epsilon);

// (x - mean) / sqrt(variance + epsilon) * weight + bias; the variance is over n, not n - 1.
[[nodiscard]] std::vector<double> layer_norm(std::span<const float> x, std::span<const float> weight,
                                             std::span<const float> bias, double epsilon = norm_epsilon);

// down * (silu(gate * x) . (up * x)), silu(a) = a / (1 + exp(-a)). gate and up: [width][in], down:
// [out][width].
[[nodiscard]] std::vector<double> gated_feed_forward(std::span<const float> gate, std::span<const float> up,
                                                     std::span<const float> down, std::span<const float> x);

// To what a device would hold.
[[nodiscard]] std::vector<float> to_float(std::span<const double> values);

}  // namespace ess::reference
