// Norms and element-wise steps between the products. Sums run in an order that depends on n only.
#pragma once

#include <cstdint>

namespace ess::cpu {

inline constexpr float norm_epsilon = 1e-6f;

// out[i] = x[i] / sqrt(mean(x^2) + epsilon); out may be x.
void rms_norm(const float* x, std::int64_t n, float* out);
// out[i] = (x[i] - mean) / sqrt(variance + epsilon) * weight[i] + bias[i]; out may be x.
void layer_norm(const float* x, const float* weight, const float* bias, std::int64_t n, float* out);
// out[i] = gate[i] / (1 + exp(-gate[i])) * up[i]; out may be gate or up.
void silu_multiply(const float* gate, const float* up, std::int64_t n, float* out);
// out[i] += x[i].
void add(const float* x, std::int64_t n, float* out);
// out[i] += factor * x[i].
void add_scaled(const float* x, float factor, std::int64_t n, float* out);

}  // namespace ess::cpu
