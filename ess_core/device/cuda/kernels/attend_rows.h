// What a block of `attend` holds in shared memory, and the rows that it works on: found, fetched, unpacked.
// Parts of attend.cu.
#pragma once

#include <limits>

#include "ess_core/device/cuda/kernel.h"
#include "ess_core/device/cuda/kernels/attend.h"

namespace ess::ESS_CUDA::attend_parts {

inline constexpr int product_warps = 8;
inline constexpr int row_warps = 4;
inline constexpr int block_warps = product_warps + row_warps;
inline constexpr int block_threads = block_warps * 32;
inline constexpr int split_rows = 1024;  // that a block attends
inline constexpr int latent = 512;
inline constexpr int width = 576;                       // of a row: latent and rotary part
inline constexpr int row_vectors = 41;                  // of 16 bytes in a packed row
inline constexpr int scales_at = 512, rotary_at = 528;  // bytes
inline constexpr int k_parts = 4;  // warps share a logit: a quarter of the row's width each
inline constexpr int part_steps = width / 16 / k_parts;
inline constexpr int shared_steps = 5;  // of the query's low term: those that registers have no room for
inline constexpr int row_buffers = 4;   // a tile is unpacked, multiplied by the query, waits, is summed
// Stride in shared memory, chosen against bank conflicts.
inline constexpr int row_stride = width / 8 + 1;  // vectors of 8 bf16
inline constexpr float infinity = std::numeric_limits<float>::infinity();

// HEADS heads a block: 16 or 32. ROWS rows a tile: 32 or 16.
template <int HEADS, int ROWS>
struct attend_shared {
  alignas(16) uint4 rows[row_buffers][ROWS][row_stride];     // bf16, columns as `column_of` says
  alignas(16) float logits[2][k_parts][HEADS][ROWS + 8];     // to be summed over the parts
  alignas(16) uint2 weights[2][2][HEADS][ROWS / 4 + 2];      // high and low terms, 4 bf16 each
  alignas(16) uint4 query[product_warps][shared_steps][32];  // fragments
  alignas(16) const std::uint8_t* list[split_rows];
  float fade[2][HEADS];  // what a tile's maximum leaves of earlier sums
  float inverse[HEADS];  // 1 / sum
  int warp_rows[block_warps];
};

struct attend_place {
  int thread, lane, warp;
  int first_head;
  int split, splits;
  int slice_lane;  // of the slice
  std::int64_t batch_lane;
};

template <int HEADS>
__device__ inline attend_place place_of(const attend_params& p) {
  attend_place at;
  at.thread = threadIdx.x;
  at.lane = threadIdx.x % 32;
  at.warp = threadIdx.x / 32;
  at.first_head = blockIdx.x * HEADS;
  at.split = blockIdx.y;
  at.splits = gridDim.y;
  at.slice_lane = blockIdx.z;
  at.batch_lane = p.lanes.first_lane() + at.slice_lane;
  return at;
}

// The row at `rank`; null if it does not count.
__device__ inline const std::uint8_t* row_at_rank(const attend_params& p, const seat_state& seat,
                                                  std::int64_t lane, int rank) {
  if (rank >= p.top_k) return nullptr;
  const token_id id = p.selected[lane * p.top_k + rank];
  if (id < 0) return nullptr;
  if (p.addressing == row_addressing::by_token)
    return p.rows.latents + (p.rows.rows_in(seat.device_base) + id) * p.rows.row_bytes;
  const row_location location = p.locations[lane * p.top_k + rank];
  const bool incoming = (location & incoming_flag) != 0;
  if (p.part != row_part::all && incoming != (p.part == row_part::incoming)) return nullptr;
  return p.rows.row_at(seat, location & ~incoming_flag);
}

// Sum over the threads before this one; `total` is over all.
__device__ inline int sum_before(int count, const attend_place& at, int* warp_sums, int& total) {
  int upto = count;
#pragma unroll
  for (int d = 1; d < 32; d *= 2) {
    const int below = __shfl_up_sync(~0u, upto, d);
    if (at.lane >= d) upto += below;
  }
  if (at.lane == 31) warp_sums[at.warp] = upto;
  __syncthreads();
  int before = upto - count;
  total = 0;
#pragma unroll
  for (int w = 0; w < block_warps; ++w) {
    if (w < at.warp) before += warp_sums[w];
    total += warp_sums[w];
  }
  return before;
}

// Lists the rows of the block's split, in the order of their ranks among those that count. Returns how many.
template <class SHARED>
__device__ inline int list_rows(const attend_params& p, const attend_place& at, SHARED& s) {
  const seat_state& seat = p.lanes.seat_of(static_cast<std::int32_t>(at.batch_lane));
  const int ranks = (p.top_k + block_threads - 1) / block_threads, first = at.thread * ranks;
  int count = 0, total = 0;
#pragma unroll 8
  for (int i = 0; i < ranks; ++i) count += row_at_rank(p, seat, at.batch_lane, first + i) != nullptr ? 1 : 0;
  int place = sum_before(count, at, s.warp_rows, total) - at.split * split_rows;
#pragma unroll 8
  for (int i = 0; i < ranks; ++i) {
    const std::uint8_t* const row = row_at_rank(p, seat, at.batch_lane, first + i);
    if (row != nullptr && place >= 0 && place < split_rows) s.list[place] = row;
    place += row != nullptr ? 1 : 0;
  }
  __syncthreads();
  return min(total - at.split * split_rows, split_rows);
}

// A lane unpacks 16 values of a row to two vectors, which lie 256 columns apart, and in each swaps the middle
// ones of four. This is the value that column `column` of a tile holds.
__device__ inline int column_of(int column) {
  if (column >= latent) return column;
  const int i = column % 4;
  return column % 256 / 8 * 16 + column / 256 * 8 + (column & 4) + (i == 1 ? 2 : i == 2 ? 1 : i);
}

__device__ inline uint4 unpack_codes(std::uint32_t first, std::uint32_t second, std::uint32_t factor) {
  const bf16_of_codes a = e4m3_to_bf16(first, factor), b = e4m3_to_bf16(second, factor);
  return {a.even, a.odd, b.even, b.odd};
}

__device__ inline void multiply(uint4& v, std::uint32_t factor) {
  v = {multiply_bf16_pairs(v.x, factor), multiply_bf16_pairs(v.y, factor), multiply_bf16_pairs(v.z, factor),
       multiply_bf16_pairs(v.w, factor)};
}

struct unpacked {
  uint4 first, second;
};
__device__ inline unpacked unpack(const uint4& codes, float scale) {
  constexpr std::uint32_t nan = 0x7fff7fffu;
  const bool large = scale >= 0x1p7f;  // 2^120 x scale is no bf16
  const float factor = large ? 0x1p120f : scale * 0x1p120f;
  const std::uint32_t factors = has_e4m3_nan(codes) ? nan : pack_bf16(factor, factor);
  unpacked u{unpack_codes(codes.x, codes.y, factors), unpack_codes(codes.z, codes.w, factors)};
  if (large) {
    multiply(u.first, pack_bf16(scale, scale));
    multiply(u.second, pack_bf16(scale, scale));
  }
  return u;
}

// Four rows on their way from global memory, in a warp's registers; those beyond `count` are zeros.
struct packed_rows {
  uint4 codes[4];
  float scale[4];
  uint4 rotary;  // of row lane / 8

  __device__ void load(const std::uint8_t* const* list, int first, int count, int lane) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      codes[i] = {0, 0, 0, 0};
      scale[i] = 0;
      if (first + i >= count) continue;
      const std::uint8_t* const row = list[first + i];
      codes[i] = load_once(reinterpret_cast<const uint4*>(row) + lane);
      scale[i] = reinterpret_cast<const float*>(row + scales_at)[lane / 8];
    }
    rotary = {0, 0, 0, 0};
    const int row = first + lane / 8;
    if (row < count) rotary = load_once(reinterpret_cast<const uint4*>(list[row] + rotary_at) + lane % 8);
  }
  __device__ void unpack_to(uint4 (*to)[row_stride], int lane) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const unpacked u = unpack(codes[i], scale[i]);
      to[i][lane] = u.first;
      to[i][32 + lane] = u.second;
    }
    to[lane / 8][latent / 8 + lane % 8] = rotary;
  }
};

}  // namespace ess::ESS_CUDA::attend_parts
