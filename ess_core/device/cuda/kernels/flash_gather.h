// Scattered latent rows from page-locked host memory, or from the landing area, to their places on the
// device.
#pragma once

#include "ess_core/cache/pool_memory.h"
#include "ess_core/device/cuda/kernels/kernel_work.h"
#include "ess_core/device/cuda/kernels/lanes.h"
#include "ess_core/device/cuda/kernels/resolve.h"

namespace ess::ESS_CUDA {

// Where a request's rows come from, by token.
struct row_source {
  const std::uint8_t* rows;  // of the layer, as the device sees them
  std::int64_t pitch;        // bytes, multiple of 16
  // Rows of a request begin at its `host_base`; not in the landing area, which has one request.
  bool by_host_base;
};

struct gather_params {
  lane_slice lanes;
  device_rows rows;
  row_source from;
  const std::uint8_t* misses;  // [seats] records, see resolve.h
  std::int64_t misses_per_seat;
  row_counters* counters;  // [seats]: rows_in
  std::int32_t blocks;     // of 256 threads; each of their warps moves two rows at a time
};

// Brings every miss of the slice to its location. The work is spread over all warps by the total number of
// misses, not by requests.
cudaError_t flash_gather(const gather_params& params, cudaStream_t stream);

struct gather_pool_params {
  lane_slice lanes;
  device_rows rows;
  row_source from;
  pool_columns pools;
  row_counters* counters;
  std::int32_t blocks;
};
// Brings the rows of all slots of every pool of the slice.
cudaError_t gather_pool(const gather_pool_params& params, cudaStream_t stream);

// Bytes over the link, in `bytes_read`, and into device memory. Bytes that are on their way at a time, if no
// latency is hidden by anything else, are `gather_bytes_in_flight`.
[[nodiscard]] kernel_work work_of_gather(std::int64_t rows, std::int32_t row_bytes);
[[nodiscard]] std::int64_t gather_bytes_in_flight(std::int32_t blocks, std::int32_t row_bytes);

}  // namespace ess::ESS_CUDA
