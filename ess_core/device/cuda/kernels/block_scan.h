// Order-preserving compaction over the threads of a block.
#pragma once

#include "ess_core/device/cuda/kernel.h"

namespace ess::ESS_CUDA {

struct block_rank_result {
  int rank;   // flags of threads before this one
  int total;  // of the block
};

// For all threads of a block whose size is a multiple of 32; `counts`: shared memory for 32 numbers. A
// barrier at either end: what was written before is seen after.
__device__ inline block_rank_result block_rank(bool flag, int* counts) {
  const unsigned ballot = __ballot_sync(0xffffffffu, flag ? 1 : 0);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const unsigned lane = threadIdx.x % 32;
  if (lane == 0) counts[warp] = __popc(ballot);
  __syncthreads();
  int before = 0;
  int total = 0;
  for (int w = 0; w < static_cast<int>(blockDim.x) / 32; ++w) {
    before += w < warp ? counts[w] : 0;
    total += counts[w];
  }
  __syncthreads();
  return {before + __popc(ballot & ((1u << lane) - 1u)), total};
}

}  // namespace ess::ESS_CUDA
