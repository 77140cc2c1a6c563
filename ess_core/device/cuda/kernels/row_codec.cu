#include "ess_core/device/cuda/kernels/norms.h"
#include "ess_core/device/cuda/kernels/number_formats.h"
#include "ess_core/device/cuda/kernels/row_codec.h"
#include "ess_core/device/cuda/kernels/sums.h"
#include "ess_core/layout/latent_row.h"
#include "ess_core/layout/scale.h"

namespace ess::ESS_CUDA {
namespace {

constexpr int row_warps = 4;
constexpr int row_threads = 32 * row_warps;
constexpr int query_threads = 256;

__device__ float2 rotate_pair(const rotation_table& table, std::int64_t at, float2 v) {
  const float cos = table.cos[at], sin = table.sin[at];
  // Without FMA, as the layout's rotation.
  return {__fadd_rn(__fmul_rn(v.x, cos), -__fmul_rn(v.y, sin)),
          __fadd_rn(__fmul_rn(v.x, sin), __fmul_rn(v.y, cos))};
}

__device__ float norm_factor(const float* latent, int n, float (&partial)[row_warps]) {
  float squares = 0;
  for (int i = threadIdx.x; i < n / 4; i += row_threads) {
    const float4 v = reinterpret_cast<const float4*>(latent)[i];
    squares += (v.x * v.x + v.y * v.y) + (v.z * v.z + v.w * v.w);
  }
  const float sum = block_sum<row_threads>(squares, partial);
  return 1.0f / sqrtf(sum / static_cast<float>(n) + norm_epsilon);
}

// By a warp: 128 values times `factor` to codes and a scale.
__device__ void pack_tile(const float* values, float factor, std::uint8_t* codes, std::uint8_t* scale_at) {
  const int thread = threadIdx.x % 32;
  const float4 four = reinterpret_cast<const float4*>(values)[thread];
  const float v[4] = {__fmul_rn(four.x, factor), __fmul_rn(four.y, factor), __fmul_rn(four.z, factor),
                      __fmul_rn(four.w, factor)};
  std::int32_t largest = 0;
  for (const float x : v) largest = larger_magnitude(largest, x);
  largest = __reduce_max_sync(whole_warp, largest);
  const float scale = power_of_two_scale(largest, latent_smallest_exponent);
  reinterpret_cast<std::uint32_t*>(codes)[thread] = encode_four(v, 1.0f / scale);
  if (thread == 0) *reinterpret_cast<float*>(scale_at) = scale;
}

// A block for each lane.
__global__ void __launch_bounds__(row_threads) latent_rows_kernel(latent_rows_params p) {
  __shared__ float partial[row_warps];
  const int lane = p.lanes.first_lane() + blockIdx.x;
  const float* latent = p.raw + blockIdx.x * p.raw_pitch;
  std::uint8_t* row = p.rows + lane * p.row_bytes;
  const int tiles = p.kv_lora / latent_tile;
  std::uint8_t* scales = row + p.kv_lora;
  const float factor = norm_factor(latent, p.kv_lora, partial);
  for (int tile = threadIdx.x / 32; tile < tiles; tile += row_warps) {
    pack_tile(latent + tile * latent_tile, factor, row + tile * latent_tile, scales + 4 * tile);
  }
  const int pairs = p.rope / 2;
  const std::int64_t at = std::int64_t{p.lanes.position_of(lane)} * pairs;
  auto* rotary = reinterpret_cast<std::uint32_t*>(scales + 4 * tiles);
  for (int i = threadIdx.x; i < pairs; i += row_threads) {
    const float2 v = rotate_pair(p.rotation, at + i, reinterpret_cast<const float2*>(latent + p.kv_lora)[i]);
    rotary[i] = float_to_bf16(v.x) | std::uint32_t{float_to_bf16(v.y)} << 16;
  }
}

// A thread for each pair. Blocks: [lanes][parts of the heads' pairs].
__global__ void __launch_bounds__(query_threads) rotate_query_kernel(rotate_query_params p) {
  const int pairs = p.rope / 2;
  const int i = blockIdx.y * query_threads + threadIdx.x;
  const int head = i / pairs, pair = i % pairs;
  if (head >= p.heads) return;
  const int lane = p.lanes.first_lane() + blockIdx.x;
  const float* from = p.projected + blockIdx.x * p.pitch + head * (p.nope + p.rope) + p.nope;
  float* to = p.query + (std::int64_t{lane} * p.heads + head) * (p.kv_lora + p.rope) + p.kv_lora;
  const std::int64_t at = std::int64_t{p.lanes.position_of(lane)} * pairs + pair;
  reinterpret_cast<float2*>(to)[pair] =
      rotate_pair(p.rotation, at, reinterpret_cast<const float2*>(from)[pair]);
}

}  // namespace

cudaError_t latent_rows(const latent_rows_params& p, cudaStream_t stream) {
  return launch(latent_rows_kernel, dim3(static_cast<unsigned>(p.lanes.lane_count())), dim3(row_threads), 0,
                stream, p);
}

cudaError_t rotate_query(const rotate_query_params& p, cudaStream_t stream) {
  const int pairs = p.heads * (p.rope / 2);
  const dim3 grid(static_cast<unsigned>(p.lanes.lane_count()),
                  static_cast<unsigned>((pairs + query_threads - 1) / query_threads));
  return launch(rotate_query_kernel, grid, dim3(query_threads), 0, stream, p);
}

}  // namespace ess::ESS_CUDA
