// Norms and element-wise steps between the products. Rows are f32 and 16-byte aligned; sizes and pitches are
// multiples of 4 values.
#pragma once

#include <cstdint>

#include "ess_core/device/cuda/kernels/kernel_work.h"

namespace ess::ESS_CUDA {

inline constexpr float norm_epsilon = 1e-6f;

struct rms_norm_params {
  const float* x;  // [rows][n]
  std::int64_t x_pitch;
  float* out;  // [rows][n]; may be x
  std::int64_t out_pitch;
  int rows;
  int n;
};

// out = x / sqrt(mean(x^2) + epsilon). The order of the sum depends on n only.
cudaError_t rms_norm(const rms_norm_params& params, cudaStream_t stream);
inline kernel_work work_of(const rms_norm_params& p) {
  const double values = 1.0 * p.rows * p.n;
  return {4 * values, 4 * values, 3 * values};
}

struct silu_multiply_params {
  const float* gate_up;  // [rows][2][width]
  std::int64_t pitch;
  float* out;  // [rows][width]; may be gate_up
  std::int64_t out_pitch;
  int rows;
  int width;
};

// out = gate / (1 + exp(-gate)) * up.
cudaError_t silu_multiply(const silu_multiply_params& params, cudaStream_t stream);
inline kernel_work work_of(const silu_multiply_params& p) {
  const double values = 1.0 * p.rows * p.width;
  return {8 * values, 4 * values, 5 * values};
}

struct add_rows_params {
  const float* x;  // [rows][n]
  std::int64_t x_pitch;
  float* y;  // [rows][n]
  std::int64_t y_pitch;
  int rows;
  int n;
};

// y += x.
cudaError_t add_rows(const add_rows_params& params, cudaStream_t stream);
inline kernel_work work_of(const add_rows_params& p) {
  const double values = 1.0 * p.rows * p.n;
  return {8 * values, 4 * values, values};
}

}  // namespace ess::ESS_CUDA
