#include <algorithm>

#include "ess_core/device/cuda/kernels/number_formats.h"
#include "ess_core/device/cuda/kernels/score_keys.h"
#include "ess_core/device/cuda/kernels/sums.h"

namespace ess::ESS_CUDA {
namespace {

// A product's sum runs over all dimensions, in whatever order. So the i-th thread of a group of four takes
// bytes 16 i to 16 i + 15 of each half of a vector, of queries and keys alike, instead of those that the
// tensor core's layout names.
constexpr int warps = 8;
constexpr int block_threads = 32 * warps;
constexpr int warp_keys = 32;                                      // two tiles of 16
constexpr int group_heads = 8;                                     // the columns of a product
constexpr int chunk_step = warps * warp_keys / index_page_tokens;  // pages that keep all warps busy
constexpr int most_steps = 4;
constexpr std::int64_t blocks_wanted = 512;

struct score_keys_launch {
  score_keys_params p;
  int groups;  // of heads
  int pages;   // that a block scores
};

template <bool CODES>
constexpr int group_vectors = CODES ? 64 : 128;  // uint4 that hold the queries of a group

// In shared memory: queries [query token][group][part][thread of a warp], then weights [query token][heads].
struct shared_queries {
  uint4* vectors;
  float* weights;
};

template <bool CODES>
__device__ shared_queries queries_in_shared(const score_keys_launch& l) {
  auto* vectors = reinterpret_cast<uint4*>(dynamic_shared());
  return {vectors, reinterpret_cast<float*>(vectors + l.p.lanes.queries * l.groups * group_vectors<CODES>)};
}

__device__ std::uint32_t any_nan_codes(const uint4& codes) {
  return nan_codes(codes.x) | nan_codes(codes.y) | nan_codes(codes.z) | nan_codes(codes.w);
}

__device__ uint4 two_words_to_bf16(std::uint32_t a, std::uint32_t b) {
  uint4 out;
  e4m3_to_bf16(a, out.x, out.y);
  e4m3_to_bf16(b, out.z, out.w);
  return out;
}

// By a warp: the eight queries of a group.
template <bool CODES>
__device__ void share_group(const score_keys_launch& l, int lane, int group, uint4* vectors, float* weights) {
  const int thread = threadIdx.x % 32, head = group * group_heads + thread / 4;
  const std::int64_t at = std::int64_t{lane} * l.p.heads + head;
  uint4 half[2] = {{0, 0, 0, 0}, {0, 0, 0, 0}};
  if (head < l.p.heads) {
    const auto* codes = reinterpret_cast<const uint4*>(l.p.query + at * index_dim) + thread % 4;
    half[0] = codes[0];
    half[1] = codes[4];
  }
  std::uint32_t nan = any_nan_codes(half[0]) | any_nan_codes(half[1]);
  nan |= __shfl_xor_sync(whole_warp, nan, 1);
  nan |= __shfl_xor_sync(whole_warp, nan, 2);
  for (int i = 0; i < 2; ++i) {
    if constexpr (CODES) {
      vectors[i * 32 + thread] = half[i];
    } else {
      vectors[2 * i * 32 + thread] = two_words_to_bf16(half[i].x, half[i].y);
      vectors[(2 * i + 1) * 32 + thread] = two_words_to_bf16(half[i].z, half[i].w);
    }
  }
  if (thread % 4 == 0) {
    weights[thread / 4] = head >= l.p.heads ? 0.0f : nan != 0 ? __uint_as_float(0x7fc00000u) : l.p.weight[at];
  }
}

template <bool CODES>
__device__ void share_queries(const score_keys_launch& l, int first_lane, const shared_queries& s) {
  for (int i = threadIdx.x / 32; i < l.p.lanes.queries * l.groups; i += warps) {
    share_group<CODES>(l, first_lane + i / l.groups, i % l.groups, s.vectors + i * group_vectors<CODES>,
                       s.weights + i * group_heads);
  }
}

// The first operands of all products of two tiles of 16 keys, and which of the thread's four keys hold a NaN.
template <bool CODES>
struct key_tiles {
  static constexpr int steps = CODES ? 4 : 8;
  std::uint32_t a[2][steps][4];
  std::uint32_t nan_keys;

  __device__ void put(int tile, int row, int half, const uint4& codes) {
    const std::uint32_t words[4] = {codes.x, codes.y, codes.z, codes.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if constexpr (CODES) {
        a[tile][half * 2 + i / 2][i % 2 * 2 + row] = words[i];
      } else {
        e4m3_to_bf16(words[i], a[tile][half * 4 + i][row], a[tile][half * 4 + i][2 + row]);
      }
    }
  }
};

template <bool CODES>
__device__ void load_keys(const std::uint8_t* first_key, key_tiles<CODES>& keys) {
  const int thread = threadIdx.x % 32;
  const auto* from = reinterpret_cast<const uint4*>(first_key + thread / 4 * index_dim) + thread % 4;
  uint4 codes[8];  // [tile][row, row + 8][half]
#pragma unroll
  for (int i = 0; i < 8; ++i) codes[i] = load_once(from + i / 2 * 64 + i % 2 * 4);
  keys.nan_keys = 0;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    keys.put(i / 4, i / 2 % 2, i % 2, codes[i]);
    if (any_nan_codes(codes[i]) != 0) keys.nan_keys |= 1u << i / 2;
  }
  keys.nan_keys |= __shfl_xor_sync(whole_warp, keys.nan_keys, 1);
  keys.nan_keys |= __shfl_xor_sync(whole_warp, keys.nan_keys, 2);
}

// sums[tile][row] += weight * relu(query . key) of the thread's two heads of a group.
template <bool CODES>
__device__ void add_group(const key_tiles<CODES>& keys, const uint4* vectors, float2 weight,
                          float (&sums)[2][2]) {
  float dots[2][4] = {};
#pragma unroll
  for (int part = 0; part < key_tiles<CODES>::steps / 2; ++part) {
    const uint4 b = vectors[part * 32 + threadIdx.x % 32];
    const std::uint32_t first[2] = {b.x, b.y}, second[2] = {b.z, b.w};
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
      if constexpr (CODES) {
        mma_e4m3(dots[tile], keys.a[tile][2 * part], first);
        mma_e4m3(dots[tile], keys.a[tile][2 * part + 1], second);
      } else {
        mma_bf16(dots[tile], keys.a[tile][2 * part], first);
        mma_bf16(dots[tile], keys.a[tile][2 * part + 1], second);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {  // NaNs are dealt with elsewhere
    float& sum = sums[i / 2][i % 2];
    sum = fmaf(weight.x, fmaxf(dots[i / 2][i % 2 * 2], 0.0f), sum);
    sum = fmaf(weight.y, fmaxf(dots[i / 2][i % 2 * 2 + 1], 0.0f), sum);
  }
}

// Four threads have partial sums of four keys; each gets the whole of one: of tile i / 2, row i % 2.
__device__ float gather_sum(const float (&sums)[2][2]) {
  const bool odd = threadIdx.x % 2 != 0, late = threadIdx.x % 4 >= 2;
  float of_tile[2];
#pragma unroll
  for (int tile = 0; tile < 2; ++tile) {
    const float given = __shfl_xor_sync(whole_warp, odd ? sums[tile][0] : sums[tile][1], 1);
    of_tile[tile] = (odd ? sums[tile][1] : sums[tile][0]) + given;
  }
  const float given = __shfl_xor_sync(whole_warp, late ? of_tile[0] : of_tile[1], 2);
  return (late ? of_tile[1] : of_tile[0]) + given;
}

template <bool CODES>
__device__ float score_of(const score_keys_launch& l, const key_tiles<CODES>& keys, int query,
                          const shared_queries& s) {
  const uint4* vectors = s.vectors + query * l.groups * group_vectors<CODES>;
  const float* weights = s.weights + query * l.groups * group_heads + threadIdx.x % 4 * 2;
  float sums[2][2] = {};
#pragma unroll 2
  for (int group = 0; group < l.groups; ++group) {
    add_group(keys, vectors + group * group_vectors<CODES>,
              *reinterpret_cast<const float2*>(weights + group * group_heads), sums);
  }
  return gather_sum(sums);
}

// By a warp: 32 keys for all query tokens of a seat.
template <bool CODES>
__device__ void score_block(const score_keys_launch& l, int seat, std::int64_t token,
                            const std::uint8_t* pages, const shared_queries& s) {
  const int thread = threadIdx.x % 32;
  const int own = thread % 4 / 2 * 16 + thread % 2 * 8 + thread / 4;  // the key whose score the thread stores
  key_tiles<CODES> keys;
  load_keys(key_at(pages, token), keys);
  float scale = *reinterpret_cast<const float*>(scale_at(pages, token + own));
  if (keys.nan_keys >> (thread % 4) & 1) scale = __uint_as_float(0x7fc00000u);
  const std::int64_t position = l.p.lanes.seats[seat].position;
  for (int query = 0; query < l.p.lanes.queries; ++query) {
    const float score = scale * score_of(l, keys, query, s);
    const std::int64_t lane = std::int64_t{seat} * l.p.lanes.queries + query;
    if (token + own <= position + query) l.p.scores[lane * l.p.max_context + token + own] = score;
  }
}

// Blocks: [chunks of pages][seats]. A warp takes 32 keys at a time and holds them while all queries pass.
template <bool CODES>
__global__ void __launch_bounds__(block_threads, 2) score_keys_kernel(score_keys_launch l) {
  const int seat = l.p.lanes.first_seat + blockIdx.y;
  const std::int64_t keys = std::int64_t{l.p.lanes.seats[seat].position} + l.p.lanes.queries;
  const std::int64_t first = std::int64_t{blockIdx.x} * l.pages * index_page_tokens;
  if (first >= keys) return;
  const shared_queries s = queries_in_shared<CODES>(l);
  share_queries<CODES>(l, seat * l.p.lanes.queries, s);
  __syncthreads();
  const std::uint8_t* pages = pages_from(l.p.pages, l.p.lanes.seats[seat].index_base);
  const std::int64_t end = min(keys, first + l.pages * index_page_tokens);
  for (std::int64_t token = first + threadIdx.x / 32 * warp_keys; token < end; token += warps * warp_keys) {
    score_block<CODES>(l, seat, token, pages, s);
  }
}

template <bool CODES>
cudaError_t launch_path(const score_keys_params& p, cudaStream_t stream) {
  const int groups = (p.heads + group_heads - 1) / group_heads;
  const std::int64_t steps = (p.max_keys + warps * warp_keys - 1) / (warps * warp_keys);
  const auto together = std::clamp<std::int64_t>(steps * p.lanes.seat_count / blocks_wanted, 1, most_steps);
  const dim3 grid(static_cast<unsigned>((steps + together - 1) / together),
                  static_cast<unsigned>(p.lanes.seat_count));
  const std::size_t shared = static_cast<std::size_t>(p.lanes.queries) * groups *
                             (group_vectors<CODES> * sizeof(uint4) + group_heads * sizeof(float));
  return launch(score_keys_kernel<CODES>, grid, dim3(block_threads), shared, stream,
                score_keys_launch{p, groups, static_cast<int>(together) * chunk_step});
}

cudaError_t has_e4m3_products() {
  int device = 0, major = 0, minor = 0;
  if (const cudaError_t e = cudaGetDevice(&device)) return e;
  if (const cudaError_t e = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device))
    return e;
  if (const cudaError_t e = cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device))
    return e;
  return 10 * major + minor >= 89 ? cudaSuccess : cudaErrorNotSupported;
}

}  // namespace

cudaError_t score_keys(const score_keys_params& p, cudaStream_t stream) {
  if (p.path == score_path::bf16) return launch_path<false>(p, stream);
  if (const cudaError_t e = has_e4m3_products()) return e;
  return launch_path<true>(p, stream);
}

}  // namespace ess::ESS_CUDA
