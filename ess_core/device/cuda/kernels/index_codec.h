// Index keys and queries on their way to e4m3, and keys into their pages. Vectors have 128 values, of which
// the first 64 are rotated; bit for bit what layout/index_key.h makes of the same values.
#pragma once

#include "ess_core/device/cuda/kernels/index_pages.h"
#include "ess_core/device/cuda/kernels/kernel_work.h"
#include "ess_core/device/cuda/kernels/lanes.h"

namespace ess::ESS_CUDA {

// Of all positions.
struct rotation_table {
  const float* cos;  // [max context][pairs]
  const float* sin;  // [max context][pairs]
};

struct index_keys_params {
  lane_slice lanes;
  rotation_table rotation;  // 32 pairs
  const float* raw;         // [lanes of the slice][128]
  std::int64_t raw_pitch;   // multiple of 4
  const float* norm;        // [2][128] weight, bias
  std::uint8_t* keys;       // [lanes][132] codes, f32 scale
};

// Layer norm -> rotation -> Hadamard -> e4m3.
cudaError_t index_keys(const index_keys_params& params, cudaStream_t stream);
inline kernel_work work_of(const index_keys_params& p) {
  const double lanes = p.lanes.lane_count();
  return {lanes * 6 * index_dim, lanes * index_key_bytes, lanes * 20 * index_dim};
}

struct index_queries_params {
  lane_slice lanes;
  rotation_table rotation;  // 32 pairs
  int heads;
  const float* raw;        // [lanes of the slice][heads][128]
  std::int64_t raw_pitch;  // of a lane, multiple of 4
  std::uint8_t* queries;   // [lanes][heads][128]
  float* weight;           // [lanes][heads]; times the query's scale and (heads x 128)^-0.5
};

cudaError_t index_queries(const index_queries_params& params, cudaStream_t stream);
inline kernel_work work_of(const index_queries_params& p) {
  const double vectors = 1.0 * p.lanes.lane_count() * p.heads;
  return {vectors * (4 * index_dim + 4), vectors * (index_dim + 4), vectors * 15 * index_dim};
}

struct append_keys_params {
  lane_slice lanes;
  const std::uint8_t* keys;  // [lanes][132]
  std::uint8_t* pages;       // of the layer, [pages of 64 tokens][8,448]
};

cudaError_t append_keys(const append_keys_params& params, cudaStream_t stream);
inline kernel_work work_of(const append_keys_params& p) {
  const double bytes = 1.0 * p.lanes.lane_count() * index_key_bytes;
  return {bytes, bytes, 0};
}

}  // namespace ess::ESS_CUDA
