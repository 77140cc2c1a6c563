// The latent row of a token, packed (layout/latent_row.h), and the rotary part of the absorbed query. Pair i
// is values 2 i and 2 i + 1.
#pragma once

#include "ess_core/device/cuda/kernels/index_codec.h"

namespace ess::ESS_CUDA {

struct latent_rows_params {
  lane_slice lanes;
  rotation_table rotation;  // rope / 2 pairs
  int kv_lora;              // multiple of 128
  int rope;                 // multiple of 2
  const float* raw;         // [lanes of the slice][kv_lora + rope]
  std::int64_t raw_pitch;   // multiple of 4
  std::uint8_t* rows;       // of the layer: [lanes][row_bytes]
  std::int64_t row_bytes;   // multiple of 4
};

// RMS norm of the latent, rotation of the rest; each packed.
cudaError_t latent_rows(const latent_rows_params& params, cudaStream_t stream);
inline kernel_work work_of(const latent_rows_params& p) {
  const double lanes = p.lanes.lane_count(), values = p.kv_lora + p.rope;
  return {lanes * (4 * values + 4 * p.rope), lanes * static_cast<double>(p.row_bytes), lanes * 10 * values};
}

struct rotate_query_params {
  lane_slice lanes;
  rotation_table rotation;  // rope / 2 pairs
  int heads;
  int nope;                // even
  int kv_lora;             // even
  int rope;                // even
  const float* projected;  // [lanes of the slice][heads][nope + rope]
  std::int64_t pitch;      // of a lane
  float* query;            // [lanes][heads][kv_lora + rope]: the last `rope` of each head are written
};

cudaError_t rotate_query(const rotate_query_params& params, cudaStream_t stream);
inline kernel_work work_of(const rotate_query_params& p) {
  const double values = 1.0 * p.lanes.lane_count() * p.heads * p.rope;
  return {4 * values, 4 * values, 3 * values};
}

}  // namespace ess::ESS_CUDA
