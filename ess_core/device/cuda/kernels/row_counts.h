// Counts of rows that copy engines bring, which no kernel sees go by.
#pragma once

#include "ess_core/device/cuda/kernels/lanes.h"

namespace ess::ESS_CUDA {

struct row_counts_params {
  lane_slice lanes;
  const std::uint8_t* misses;  // [seats] records, see resolve.h; null: every row before the request's position
  std::int64_t misses_per_seat;
  row_counters* counters;  // [seats]: rows_in
};
cudaError_t count_rows_in(const row_counts_params& params, cudaStream_t stream);

}  // namespace ess::ESS_CUDA
