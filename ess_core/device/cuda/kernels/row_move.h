// Rows moved by one warp, 16 bytes a lane and load.
#pragma once

#include "ess_core/device/cuda/kernel.h"

namespace ess::ESS_CUDA {

struct row_move {
  const std::uint8_t* from;  // both aligned to 16
  std::uint8_t* to;          // null: not this one
};

// By a whole warp. All loads of the rows, up to 1 KB of each, are on their way before the first store: a load
// over the link takes a microsecond or more. `row_bytes` is a multiple of 16.
template <int rows>
__device__ void move_rows(const row_move (&moves)[rows], std::int32_t row_bytes) {
  constexpr int loads = 2;  // of a lane and row at a time
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (std::int32_t first = 0; first < row_bytes; first += loads * 32 * 16) {
    uint4 values[rows][loads];
#pragma unroll
    for (int r = 0; r < rows; ++r) {
#pragma unroll
      for (int i = 0; i < loads; ++i) {
        const std::int32_t at = first + (i * 32 + lane) * 16;
        if (at < row_bytes && moves[r].to != nullptr)
          values[r][i] = load_once(reinterpret_cast<const uint4*>(moves[r].from + at));
      }
    }
#pragma unroll
    for (int r = 0; r < rows; ++r) {
#pragma unroll
      for (int i = 0; i < loads; ++i) {
        const std::int32_t at = first + (i * 32 + lane) * 16;
        if (at < row_bytes && moves[r].to != nullptr)
          *reinterpret_cast<uint4*>(moves[r].to + at) = values[r][i];
      }
    }
  }
}

}  // namespace ess::ESS_CUDA
