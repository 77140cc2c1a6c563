// Sums over a warp and over a block, in an order that depends on their size only. Every thread gets the sum.
#pragma once

#include "ess_core/device/cuda/kernel.h"

namespace ess::ESS_CUDA {

inline constexpr unsigned whole_warp = 0xffffffffu;

__device__ inline float warp_sum(float x) {
  for (int other = 16; other > 0; other /= 2) x += __shfl_xor_sync(whole_warp, x, other);
  return x;
}

// At most once in a kernel between barriers: `partial` is in use until the next one.
template <int threads>
__device__ float block_sum(float x, float (&partial)[threads / 32]) {
  x = warp_sum(x);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = x;
  __syncthreads();
  float sum = 0;
  for (int i = 0; i < threads / 32; ++i) sum += partial[i];
  return sum;
}

}  // namespace ess::ESS_CUDA
