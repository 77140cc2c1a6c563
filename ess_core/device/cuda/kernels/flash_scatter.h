// New latent rows, one a lane, to their places: in the pool or cache of the device, and in the host store.
#pragma once

#include "ess_core/cache/pool_memory.h"
#include "ess_core/device/cuda/kernels/kernel_work.h"
#include "ess_core/device/cuda/kernels/lanes.h"

namespace ess::ESS_CUDA {

struct append_rows_params {
  lane_slice lanes;
  device_rows rows;
  row_addressing
      addressing;  // by_token: a row's place is its position; else what resolve noted in the header
  const pool_header* headers;      // [seats]; by_location only
  const std::uint8_t* latent_new;  // [lanes][row] of the layer
};
cudaError_t append_rows(const append_rows_params& params, cudaStream_t stream);

struct scatter_params {
  lane_slice lanes;
  const std::uint8_t* latent_new;  // [lanes][row] of the layer
  std::int32_t row_bytes;          // multiple of 16
  std::uint8_t* host_rows;         // of the layer, page-locked, as the device sees it
  std::int64_t pitch;              // multiple of 16
  row_counters* counters;          // [seats]: rows_out
};
cudaError_t flash_scatter(const scatter_params& params, cudaStream_t stream);

[[nodiscard]] kernel_work work_of_scatter(std::int64_t rows, std::int32_t row_bytes);

}  // namespace ess::ESS_CUDA
