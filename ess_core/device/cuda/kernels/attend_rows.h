// The rows that a block of `attend` works on: found, fetched, unpacked. Parts of attend.cu.
#pragma once

#include <limits>

#include "ess_core/device/cuda/kernel.h"
#include "ess_core/device/cuda/kernels/attend.h"

namespace ess::ESS_CUDA::attend_parts {

inline constexpr int block_threads = 256;
inline constexpr int block_warps = 8;
inline constexpr int split_rows = 512;  // that a block attends
inline constexpr int tile_rows = 64;    // of them, at a time
inline constexpr int latent = 512;
inline constexpr int width = 576;       // of a row: latent and rotary part
inline constexpr int row_vectors = 41;  // of 16 bytes in a packed row
inline constexpr int scale_vector = 32, rotary_vector = 33;
inline constexpr int k_parts = 4;  // warps share a logit: a quarter of the row's width each
inline constexpr int part_steps = width / 16 / k_parts;
// Strides in shared memory, chosen against bank conflicts.
inline constexpr int row_stride = width / 8 + 1;         // vectors of 8 bf16
inline constexpr int weight_stride = tile_rows / 4 + 2;  // vectors of 4 bf16
inline constexpr int logit_stride = tile_rows + 8;       // f32
inline constexpr float infinity = std::numeric_limits<float>::infinity();

// HEADS heads a block: 16 or 32.
template <int HEADS>
struct attend_shared {
  alignas(16) uint4 rows[tile_rows][row_stride];           // a tile in bf16, columns as `column_of` says
  alignas(16) uint4 packed[tile_rows][row_vectors];        // the next one, as it comes
  alignas(16) float logits[k_parts][HEADS][logit_stride];  // to be summed over the parts
  alignas(16) uint2 weights[2][HEADS][weight_stride];      // high and low terms
  std::uint32_t list[split_rows];                          // numbers of the rows
  float fade[HEADS];  // what the new maximum leaves of earlier sums; at the end 1 / sum
  int warp_rows[block_warps];
};

// Numbers of staging rows.
inline constexpr std::uint32_t in_staging = 0x80000000u;

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

// The number of the row at `rank`, if it counts.
struct ranked_row {
  bool valid;
  std::uint32_t number;
};
__device__ inline ranked_row row_at_rank(const attend_params& p, const seat_state& seat, std::int64_t lane,
                                         int rank) {
  if (rank >= p.top_k) return {false, 0};
  const std::int64_t base = p.rows.rows_in(seat.device_base);
  const token_id id = p.selected[lane * p.top_k + rank];
  if (id < 0) return {false, 0};
  if (p.addressing == row_addressing::by_token) return {true, static_cast<std::uint32_t>(base + id)};
  const row_location location = p.locations[lane * p.top_k + rank];
  const bool incoming = (location & incoming_flag) != 0;
  if (p.part != row_part::all && incoming != (p.part == row_part::incoming)) return {false, 0};
  const std::int64_t place = location & ~incoming_flag, staged = place - p.rows.held(seat);
  return {true, staged < 0 ? static_cast<std::uint32_t>(base + place)
                           : in_staging | static_cast<std::uint32_t>(seat.staging_base + staged)};
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
template <int HEADS>
__device__ inline int list_rows(const attend_params& p, const attend_place& at, attend_shared<HEADS>& s) {
  const seat_state& seat = p.lanes.seat_of(static_cast<std::int32_t>(at.batch_lane));
  const int ranks = (p.top_k + block_threads - 1) / block_threads, first = at.thread * ranks;
  int count = 0, total = 0;
#pragma unroll 8
  for (int i = 0; i < ranks; ++i) count += row_at_rank(p, seat, at.batch_lane, first + i).valid ? 1 : 0;
  int place = sum_before(count, at, s.warp_rows, total) - at.split * split_rows;
#pragma unroll 8
  for (int i = 0; i < ranks; ++i) {
    const ranked_row row = row_at_rank(p, seat, at.batch_lane, first + i);
    if (row.valid && place >= 0 && place < split_rows) s.list[place] = row.number;
    place += row.valid ? 1 : 0;
  }
  __syncthreads();
  return min(total - at.split * split_rows, split_rows);
}

// A warp fetches a row.
template <int HEADS>
__device__ inline void fetch_rows(const attend_params& p, const attend_place& at, attend_shared<HEADS>& s,
                                  int first, int count) {
#pragma unroll 2
  for (int row = at.warp; row < count; row += block_warps) {
    const std::uint32_t number = s.list[first + row];
    const std::uint8_t* base = (number & in_staging) != 0 ? p.rows.staging : p.rows.latents;
    const std::uint8_t* from = base + std::int64_t{number & ~in_staging} * p.rows.row_bytes + at.lane * 16;
    copy_async_16(&s.packed[row][at.lane], from);
    if (at.lane < row_vectors - 32) copy_async_16(&s.packed[row][32 + at.lane], from + 32 * 16);
  }
  copy_commit();
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
  const bool large = scale >= 0x1p7f;  // 2^120 x scale is no bf16
  const float factor = large ? 0x1p120f : scale * 0x1p120f;
  const std::uint32_t factors = pack_bf16(factor, factor);
  unpacked u{unpack_codes(codes.x, codes.y, factors), unpack_codes(codes.z, codes.w, factors)};
  if (large) {
    multiply(u.first, pack_bf16(scale, scale));
    multiply(u.second, pack_bf16(scale, scale));
  }
  constexpr std::uint32_t nan = 0x7fff7fffu;
  if (has_e4m3_nan(codes)) u.first = u.second = {nan, nan, nan, nan};
  return u;
}

// A warp unpacks a row; those beyond `count` become zeros.
template <int HEADS>
__device__ inline void unpack_rows(const attend_place& at, attend_shared<HEADS>& s, int count) {
  constexpr int vectors = latent / 8;
#pragma unroll 2
  for (int row = at.warp; row < tile_rows; row += block_warps) {
    uint4* to = s.rows[row];
    const uint4* from = s.packed[row];
    unpacked u{};
    uint4 rotary{};
    if (row < count) {
      u = unpack(from[at.lane], reinterpret_cast<const float*>(from + scale_vector)[at.lane / 8]);
      if (at.lane < 8) rotary = from[rotary_vector + at.lane];
    }
    to[at.lane] = u.first;
    to[32 + at.lane] = u.second;
    if (at.lane < 8) to[vectors + at.lane] = rotary;
  }
}

}  // namespace ess::ESS_CUDA::attend_parts
