#include "ess_core/device/cuda/kernel.h"
#include "ess_core/device/cuda/kernels/merge.h"

namespace ess::ESS_CUDA {
namespace {

constexpr int block_threads = 128;

struct weights_of_parts {
  float first, second, lse;
};

__device__ bool is_empty(float lse) { return lse > 3.0e38f; }

__device__ weights_of_parts weigh(float a, float b) {
  if (is_empty(b)) return {1, 0, a};
  if (is_empty(a)) return {0, 1, b};
  const float most = fmaxf(a, b);
  const float lse = most + logf(expf(a - most) + expf(b - most));
  return {expf(a - lse), expf(b - lse), lse};
}

// A block for each head of a lane.
__global__ void __launch_bounds__(block_threads) merge_kernel(merge_params p) {
  const std::int64_t head = (std::int64_t{p.lanes.first_lane()} + blockIdx.x) * p.heads + blockIdx.y;
  const weights_of_parts w = weigh(p.lse[head], p.lse_2[head]);
  float* out = p.out + head * p.kv_lora;
  const float* second = p.out_2 + head * p.kv_lora;
  for (int i = threadIdx.x; i < p.kv_lora; i += block_threads) {
    const float a = w.first > 0 ? w.first * out[i] : 0.0f;
    const float b = w.second > 0 ? w.second * second[i] : 0.0f;
    out[i] = w.second > 0 ? a + b : is_empty(w.lse) ? 0.0f : out[i];
  }
  __syncthreads();  // all have read the logarithm
  if (threadIdx.x == 0) p.lse[head] = w.lse;
}

}  // namespace

cudaError_t merge(const merge_params& p, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>(p.lanes.lane_count()), static_cast<unsigned>(p.heads));
  return launch(merge_kernel, grid, dim3(block_threads), 0, stream, p);
}

}  // namespace ess::ESS_CUDA
