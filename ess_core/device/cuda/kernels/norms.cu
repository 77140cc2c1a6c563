#include "ess_core/device/cuda/kernels/norms.h"
#include "ess_core/device/cuda/kernels/sums.h"

namespace ess::ESS_CUDA {
namespace {

constexpr int norm_threads = 512;
constexpr int threads = 256;

__device__ const float4& four_at(const float* row, int i) { return reinterpret_cast<const float4*>(row)[i]; }
__device__ float4& four_at(float* row, int i) { return reinterpret_cast<float4*>(row)[i]; }

// A block for each row.
__global__ void __launch_bounds__(norm_threads) rms_norm_kernel(rms_norm_params p) {
  __shared__ float partial[norm_threads / 32];
  const float* x = p.x + blockIdx.x * p.x_pitch;
  float* out = p.out + blockIdx.x * p.out_pitch;
  float squares = 0;
#pragma unroll 4
  for (int i = threadIdx.x; i < p.n / 4; i += norm_threads) {
    const float4 v = four_at(x, i);
    squares += (v.x * v.x + v.y * v.y) + (v.z * v.z + v.w * v.w);
  }
  const float sum = block_sum<norm_threads>(squares, partial);
  const float factor = 1.0f / sqrtf(sum / static_cast<float>(p.n) + norm_epsilon);
  for (int i = threadIdx.x; i < p.n / 4; i += norm_threads) {
    const float4 v = four_at(x, i);
    four_at(out, i) = {v.x * factor, v.y * factor, v.z * factor, v.w * factor};
  }
}

__device__ float silu(float x) {
  const float e = expf(-fabsf(x));  // of a negative number: cannot overflow
  return (x < 0 ? x * e : x) / (1.0f + e);
}

// Blocks: [rows][parts of a row].
__global__ void __launch_bounds__(threads) silu_multiply_kernel(silu_multiply_params p) {
  const int i = blockIdx.y * threads + threadIdx.x;
  if (i >= p.width / 4) return;
  const float* gate = p.gate_up + blockIdx.x * p.pitch;
  const float4 g = four_at(gate, i), u = four_at(gate + p.width, i);
  four_at(p.out + blockIdx.x * p.out_pitch, i) = {silu(g.x) * u.x, silu(g.y) * u.y, silu(g.z) * u.z,
                                                  silu(g.w) * u.w};
}

// Blocks: [rows][parts of a row].
__global__ void __launch_bounds__(threads) add_rows_kernel(add_rows_params p) {
  const int i = blockIdx.y * threads + threadIdx.x;
  if (i >= p.n / 4) return;
  const float4 a = four_at(p.x + blockIdx.x * p.x_pitch, i);
  float4& y = four_at(p.y + blockIdx.x * p.y_pitch, i);
  y = {y.x + a.x, y.y + a.y, y.z + a.z, y.w + a.w};
}

dim3 grid_of(int rows, int n) {
  return {static_cast<unsigned>(rows), static_cast<unsigned>((n / 4 + threads - 1) / threads)};
}

}  // namespace

cudaError_t rms_norm(const rms_norm_params& p, cudaStream_t stream) {
  return launch(rms_norm_kernel, dim3(static_cast<unsigned>(p.rows)), dim3(norm_threads), 0, stream, p);
}

cudaError_t silu_multiply(const silu_multiply_params& p, cudaStream_t stream) {
  return launch(silu_multiply_kernel, grid_of(p.rows, p.width), dim3(threads), 0, stream, p);
}

cudaError_t add_rows(const add_rows_params& p, cudaStream_t stream) {
  return launch(add_rows_kernel, grid_of(p.rows, p.n), dim3(threads), 0, stream, p);
}

}  // namespace ess::ESS_CUDA
