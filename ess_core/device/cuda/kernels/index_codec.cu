#include <cmath>

#include "ess_core/device/cuda/kernels/index_codec.h"
#include "ess_core/device/cuda/kernels/norms.h"
#include "ess_core/device/cuda/kernels/number_formats.h"
#include "ess_core/device/cuda/kernels/sums.h"
#include "ess_core/layout/scale.h"

namespace ess::ESS_CUDA {
namespace {

// A warp holds a vector: values 4 i to 4 i + 3 in its i-th thread.
constexpr int block_warps = 4;
constexpr int block_threads = 32 * block_warps;
constexpr int pairs = 32;
constexpr int pair_threads = pairs / 4;  // that hold the first values of pairs; as many hold the second ones

__device__ int lane_in_warp() { return threadIdx.x % 32; }

__device__ void load_four(const float* from, float (&v)[4]) {
  const float4 four = *reinterpret_cast<const float4*>(from);
  v[0] = four.x, v[1] = four.y, v[2] = four.z, v[3] = four.w;
}

__device__ void round_to_bf16(float (&v)[4]) {
  for (float& x : v) x = bf16_to_float(float_to_bf16(x));
}

// Pair i is values i and i + 32. Without FMA, as the layout's rotation.
__device__ void rotate(const rotation_table& table, std::int64_t position, float (&v)[4]) {
  const int thread = lane_in_warp();
  const std::int64_t at = position * pairs + thread % pair_threads * 4;
  float cos[4], sin[4];
  load_four(table.cos + at, cos);
  load_four(table.sin + at, sin);
  for (int i = 0; i < 4; ++i) {
    const float other = __shfl_xor_sync(whole_warp, v[i], pair_threads);
    const float first = __fadd_rn(__fmul_rn(v[i], cos[i]), -__fmul_rn(other, sin[i]));
    const float second = __fadd_rn(__fmul_rn(other, sin[i]), __fmul_rn(v[i], cos[i]));
    if (thread < 2 * pair_threads) v[i] = thread < pair_threads ? first : second;
  }
}

__device__ void butterfly(float& a, float& b) {
  const float sum = __fadd_rn(a, b);
  b = __fadd_rn(a, -b);
  a = sum;
}

// Partners 1, 2, 4, ... 64 values apart, in this order.
__device__ void hadamard(float (&v)[4]) {
  butterfly(v[0], v[1]);
  butterfly(v[2], v[3]);
  butterfly(v[0], v[2]);
  butterfly(v[1], v[3]);
  for (int apart = 1; apart < 32; apart *= 2) {
    const bool upper = (lane_in_warp() & apart) != 0;
    for (float& x : v) {
      const float other = __shfl_xor_sync(whole_warp, x, apart);
      x = __fadd_rn(other, upper ? -x : x);
    }
  }
  for (float& x : v) x = __fmul_rn(x, 0x1.6a09e6p-4f);  // 128^-0.5
}

struct quantised {
  std::uint32_t codes;  // of the thread's four values
  float scale;
};

__device__ quantised quantise(const rotation_table& table, std::int64_t position, float (&v)[4]) {
  rotate(table, position, v);
  round_to_bf16(v);
  hadamard(v);
  round_to_bf16(v);
  std::int32_t largest = 0;
  for (const float x : v) largest = larger_magnitude(largest, x);
  largest = __reduce_max_sync(whole_warp, largest);
  const float scale = power_of_two_scale(largest, index_smallest_exponent);
  return {encode_four(v, 1.0f / scale), scale};
}

__device__ void layer_norm(const float* norm, float (&v)[4]) {
  constexpr float n = index_dim;
  const float mean = warp_sum((v[0] + v[1]) + (v[2] + v[3])) / n;
  for (float& x : v) x -= mean;
  const float squares = warp_sum((v[0] * v[0] + v[1] * v[1]) + (v[2] * v[2] + v[3] * v[3]));
  const float factor = 1.0f / sqrtf(squares / n + norm_epsilon);
  float weight[4], bias[4];
  load_four(norm + lane_in_warp() * 4, weight);
  load_four(norm + index_dim + lane_in_warp() * 4, bias);
  for (int i = 0; i < 4; ++i) v[i] = fmaf(__fmul_rn(v[i], factor), weight[i], bias[i]);
}

// A warp for each lane.
__global__ void __launch_bounds__(block_threads) index_keys_kernel(index_keys_params p) {
  const int in_slice = blockIdx.x * block_warps + threadIdx.x / 32;
  if (in_slice >= p.lanes.lane_count()) return;
  const int lane = p.lanes.first_lane() + in_slice;
  float v[4];
  load_four(p.raw + in_slice * p.raw_pitch + lane_in_warp() * 4, v);
  layer_norm(p.norm, v);
  const quantised q = quantise(p.rotation, p.lanes.position_of(lane), v);
  std::uint8_t* key = p.keys + std::int64_t{lane} * index_key_bytes;
  reinterpret_cast<std::uint32_t*>(key)[lane_in_warp()] = q.codes;
  if (lane_in_warp() == 0) *reinterpret_cast<float*>(key + index_dim) = q.scale;
}

struct index_queries_launch {
  index_queries_params p;
  float constant;
};

// A warp for each head of a lane. Blocks: [lanes][parts of the heads].
__global__ void __launch_bounds__(block_threads) index_queries_kernel(index_queries_launch l) {
  const index_queries_params& p = l.p;
  const int head = blockIdx.y * block_warps + threadIdx.x / 32;
  if (head >= p.heads) return;
  const int lane = p.lanes.first_lane() + blockIdx.x;
  float v[4];
  load_four(p.raw + blockIdx.x * p.raw_pitch + head * index_dim + lane_in_warp() * 4, v);
  const quantised q = quantise(p.rotation, p.lanes.position_of(lane), v);
  const std::int64_t at = std::int64_t{lane} * p.heads + head;
  reinterpret_cast<std::uint32_t*>(p.queries + at * index_dim)[lane_in_warp()] = q.codes;
  if (lane_in_warp() == 0) p.weight[at] *= q.scale * l.constant;
}

// A warp for each lane.
__global__ void __launch_bounds__(block_threads) append_keys_kernel(append_keys_params p) {
  const int in_slice = blockIdx.x * block_warps + threadIdx.x / 32;
  if (in_slice >= p.lanes.lane_count()) return;
  const int lane = p.lanes.first_lane() + in_slice;
  const std::int64_t token = p.lanes.seat_of(lane).index_base + p.lanes.position_of(lane);
  const auto* key = reinterpret_cast<const std::uint32_t*>(p.keys + std::int64_t{lane} * index_key_bytes);
  auto* codes = reinterpret_cast<std::uint32_t*>(key_at(p.pages, token));
  codes[lane_in_warp()] = key[lane_in_warp()];
  if (lane_in_warp() == 0) {
    *reinterpret_cast<std::uint32_t*>(scale_at(p.pages, token)) = key[index_dim / 4];
  }
}

dim3 grid_of(int warps) { return {static_cast<unsigned>((warps + block_warps - 1) / block_warps)}; }

}  // namespace

cudaError_t index_keys(const index_keys_params& p, cudaStream_t stream) {
  return launch(index_keys_kernel, grid_of(p.lanes.lane_count()), dim3(block_threads), 0, stream, p);
}

cudaError_t index_queries(const index_queries_params& p, cudaStream_t stream) {
  const auto constant = static_cast<float>(1.0 / std::sqrt(static_cast<double>(p.heads) * index_dim));
  const dim3 grid(static_cast<unsigned>(p.lanes.lane_count()), grid_of(p.heads).x);
  return launch(index_queries_kernel, grid, dim3(block_threads), 0, stream,
                index_queries_launch{p, constant});
}

cudaError_t append_keys(const append_keys_params& p, cudaStream_t stream) {
  return launch(append_keys_kernel, grid_of(p.lanes.lane_count()), dim3(block_threads), 0, stream, p);
}

}  // namespace ess::ESS_CUDA
