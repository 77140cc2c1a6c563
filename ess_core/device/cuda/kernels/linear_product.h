// What a block of `linear` multiplies: x in shared memory, weights in registers. Parts of linear.cu.
#pragma once

#include "ess_core/device/cuda/kernels/linear_plan.h"

namespace ess::ESS_CUDA::linear_parts {

// A chunk of x in shared memory, in the order of mma's B fragments, 16 bytes a lane: four floats that become
// the high and the low terms of two registers. Each thread converts what it fetched itself.
template <int CHUNK, int ROW_TILES, int TOGETHER>
struct x_chunks {
  const linear_launch& a;
  const linear_place& at;
  const linear_rows& rows;
  bool aligned;

  // f(where in the chunk, row, k tile) for each of the thread's pieces.
  template <class F>
  __device__ void for_each_piece(int chunk, F f) const {
    const int fragments = a.plan.k_warps * CHUNK * ROW_TILES;
    for (int i = at.warp; i < fragments; i += block_warps) {
      const int row_tile = i % ROW_TILES, k_warp = i / (CHUNK * ROW_TILES);
      if (row_tile / TOGETHER * TOGETHER * 8 >= rows.count) continue;
      const int in_segment = chunk * CHUNK + i / ROW_TILES % CHUNK;
      const int tile = (at.split * a.plan.k_warps + k_warp) * a.plan.segment + in_segment;
      f(i * 32 + at.lane, row_tile * 8 + at.lane / 4, in_segment < a.plan.segment ? tile : a.p.k);
    }
  }
  __device__ void fetch(int chunk, uint4* to) const {
    for_each_piece(chunk, [&](int piece, int row, int tile) {
      const std::int64_t k = std::int64_t{tile} * 16 + at.lane % 4 * 4;
      const float* from = rows.x + row * a.p.ldx + k;
      if (row < rows.count && k + 4 <= a.p.k && aligned) {
        copy_async_16(to + piece, from);
      } else {
        const int left = row < rows.count ? static_cast<int>(a.p.k - k < 4 ? a.p.k - k : 4) : 0;
        to[piece] = {left > 0 ? __float_as_uint(from[0]) : 0, left > 1 ? __float_as_uint(from[1]) : 0,
                     left > 2 ? __float_as_uint(from[2]) : 0, left > 3 ? __float_as_uint(from[3]) : 0};
      }
    });
    copy_commit();
  }
  __device__ void convert(int chunk, uint4* x) const {
    for_each_piece(chunk, [&](int piece, int, int) {
      const uint4 v = x[piece];
      const bf16_pairs first = split_pair(__uint_as_float(v.x), __uint_as_float(v.y));
      const bf16_pairs second = split_pair(__uint_as_float(v.z), __uint_as_float(v.w));
      x[piece] = {first.high, second.high, first.low, second.low};
    });
  }
};

__device__ inline void to_fragments(const uint4& w, std::uint32_t (&a)[1][4]) {
  a[0][0] = w.x, a[0][1] = w.y, a[0][2] = w.z, a[0][3] = w.w;
}
__device__ inline void to_fragments(const uint4& w, std::uint32_t (&a)[2][4]) {
  const std::uint32_t words[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const bf16_of_codes pair = e4m3_to_bf16(words[i]);
    a[i / 2][i % 2 * 2] = pair.even;
    a[i / 2][i % 2 * 2 + 1] = pair.odd;
  }
}

// What a warp multiplies and sums: 32 columns, the steps of its segment.
template <weight_format FORMAT, int TERMS, int ROW_TILES>
struct warp_product {
  using sizes = linear_sizes<FORMAT, ROW_TILES>;
  static constexpr int steps = sizes::steps, step_tiles = sizes::step_tiles, together = sizes::together;

  const uint4* weights;  // of this lane; the two tiles of a step are 32 vectors apart
  int step, end;         // next to be multiplied, of all
  int live_tiles;        // of rows
  uint4 ahead[sizes::phases * steps][2];
  float sum[ROW_TILES][2][4];

  __device__ void clear() {
#pragma unroll
    for (int r = 0; r < ROW_TILES; ++r)
#pragma unroll
      for (int i = 0; i < 8; ++i) sum[r][i / 4][i % 4] = 0;
  }
  __device__ void load(int slot, int of_step) {
    if (of_step >= end) return;
    ahead[slot][0] = load_once(weights + of_step * 64);
    ahead[slot][1] = load_once(weights + of_step * 64 + 32);
  }
  __device__ void load_first() {
#pragma unroll
    for (int s = 0; s < sizes::phases * steps; ++s) load(s, step + s);
  }
  __device__ void multiply(const std::uint32_t (&a0)[4], const std::uint32_t (&a1)[4], const uint4* x) {
#pragma unroll
    for (int r = 0; r < ROW_TILES; r += together) {
      if (r >= live_tiles) break;
      uint4 v[together];
#pragma unroll
      for (int i = 0; i < together; ++i) v[i] = x[(r + i) * 32];
#pragma unroll
      for (int i = 0; i < together * TERMS; ++i) {
        const uint4& of = v[i % together];
        const std::uint32_t b[2] = {i < together ? of.x : of.z, i < together ? of.y : of.w};
        mma_bf16(sum[r + i % together][0], a0, b);
        mma_bf16(sum[r + i % together][1], a1, b);
      }
    }
  }
  // x: this lane's part of the warp's chunk; phase: which of those ahead it is.
  __device__ void multiply_chunk(const uint4* x, int phase) {
#pragma unroll
    for (int s = 0; s < steps; ++s) {
      if (step + s < end) {
        std::uint32_t a0[step_tiles][4], a1[step_tiles][4];
        to_fragments(ahead[phase * steps + s][0], a0);
        to_fragments(ahead[phase * steps + s][1], a1);
#pragma unroll
        for (int t = 0; t < step_tiles; ++t)
          multiply(a0[t], a1[t], x + (s * step_tiles + t) * ROW_TILES * 32);
        load(phase * steps + s, step + s + sizes::phases * steps);
      }
    }
    step += steps;
  }
  // Adds to the thread's own place in shared memory.
  __device__ void fold(float4* sums, bool first) {
#pragma unroll
    for (int i = 0; i < ROW_TILES * 2; ++i) {
      if (i / 2 >= live_tiles) break;
      float4& to = sums[i * block_threads + threadIdx.x];
      float(&d)[4] = sum[i / 2][i % 2];
      const float4 before = first ? float4{0, 0, 0, 0} : to;
      to = {before.x + d[0], before.y + d[1], before.z + d[2], before.w + d[3]};
    }
    clear();
  }
};

}  // namespace ess::ESS_CUDA::linear_parts
