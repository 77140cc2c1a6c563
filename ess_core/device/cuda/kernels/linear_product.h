// What a block of `linear` multiplies: weights and x on their way through shared memory. Parts of linear.cu.
#pragma once

#include "ess_core/device/cuda/kernels/linear_plan.h"

namespace ess::ESS_CUDA::linear_parts {

// Stages of shared memory, each of a unit: weights, [warps][2 groups][vectors][32 lanes], where every lane
// reads only what it fetched, and x, [k tiles][row tiles][32 lanes] of four floats in the order of mma's B
// fragments.
template <weight_format FORMAT>
struct linear_ring {
  static constexpr int vectors = chunk_vectors(FORMAT);

  const linear_launch& a;
  const linear_place& at;
  const linear_rows& rows;
  uint4* shared;
  const uint4* matrix;  // of the lane
  bool aligned;

  [[nodiscard]] __device__ uint4* stage(int i) const { return shared + i * stage_vectors(FORMAT, a.plan); }
  [[nodiscard]] __device__ uint4* weights_in(uint4* of_stage) const {
    return of_stage + at.warp * (2 * vectors * 32) + at.lane;
  }
  [[nodiscard]] __device__ const uint4* x_in(const uint4* of_stage) const {
    return of_stage + stage_weights(FORMAT) + at.k_warp * 2 * a.plan.row_tiles * 32 + at.lane;
  }
  [[nodiscard]] __device__ bool has_chunk(int unit) const {
    return (unit * a.plan.k_warps + at.k_warp) * chunk_k < a.p.k;
  }
  __device__ void fetch(const linear_cursor& c, uint4* to) const {
    if (has_chunk(c.unit)) fetch_weights(c, weights_in(to));
    fetch_x(c, to + stage_weights(FORMAT));
  }

 private:
  // Groups beyond n: the last one once more, whose sums nobody writes.
  __device__ void fetch_weights(const linear_cursor& c, uint4* to) const {
    const int chunks = divided(a.p.k, chunk_k), last = (a.p.n - 1) / linear_group;
    const int chunk = c.unit * a.plan.k_warps + at.k_warp;
#pragma unroll
    for (int g = 0; g < 2; ++g) {
      const int group = min((c.tile * a.plan.column_warps + at.column_warp) * 2 + g, last);
      const uint4* from = matrix + (std::int64_t{group} * chunks + chunk) * (vectors * 32);
#pragma unroll
      for (int v = 0; v < vectors; ++v) copy_async_16(to + (g * vectors + v) * 32, from + v * 32);
    }
  }
  __device__ void fetch_x(const linear_cursor& c, uint4* to) const {
    const int k_tiles = 2 * a.plan.k_warps;  // a power of two
    const int shift = __ffs(k_tiles) - 1, live = rows.tiles();
    for (int i = at.warp; i < k_tiles * live; i += block_warps) {
      const int k_tile = i & (k_tiles - 1), row_tile = i >> shift;
      fetch_piece(row_tile * 8 + at.lane / 4, (c.unit * k_tiles + k_tile) * 16 + at.lane % 4 * 4,
                  to + (k_tile * a.plan.row_tiles + row_tile) * 32 + at.lane);
    }
  }
  __device__ void fetch_piece(int row, int k, uint4* to) const {
    const float* from = rows.x + row * a.p.ldx + k;
    if (row < rows.count && k + 4 <= a.p.k && aligned) {
      copy_async_16(to, from);
    } else {
      const int left = row < rows.count ? min(a.p.k - k, 4) : 0;
      *to = {left > 0 ? __float_as_uint(from[0]) : 0, left > 1 ? __float_as_uint(from[1]) : 0,
             left > 2 ? __float_as_uint(from[2]) : 0, left > 3 ? __float_as_uint(from[3]) : 0};
    }
  }
};

// A fragments of a chunk: [k tiles][tiles of 16 columns]. from: the lane's weights in a stage.
using chunk_fragments = std::uint32_t[2][column_tiles][4];

template <weight_format FORMAT>
__device__ inline void to_fragments(const uint4* from, chunk_fragments& a) {
#pragma unroll
  for (int i = 0; i < 2 * chunk_vectors(FORMAT); ++i) {
    const uint4 v = from[i * 32];
    const std::uint32_t words[4] = {v.x, v.y, v.z, v.w};
    if constexpr (FORMAT == weight_format::bf16) {
#pragma unroll
      for (int w = 0; w < 4; ++w) a[i / 2 % 2][i / 4 * 2 + i % 2][w] = words[w];
    } else {
#pragma unroll
      for (int w = 0; w < 4; ++w) {
        const bf16_of_codes pair = e4m3_to_bf16(words[w]);
        a[w / 2][i][w % 2 * 2] = pair.even;
        a[w / 2][i][w % 2 * 2 + 1] = pair.odd;
      }
    }
  }
}

// What a warp multiplies and sums: 64 columns. The tensor cores truncate their sums, and so sum but a chunk;
// its sums are added to the others while the tensor cores are at the next rows.
template <int TERMS>
struct warp_product {
  using tile_sums = float[column_tiles][4];
  tile_sums sum[most_row_tiles];

  __device__ void clear() {
#pragma unroll
    for (int r = 0; r < most_row_tiles; ++r)
#pragma unroll
      for (int i = 0; i < column_tiles * 4; ++i) sum[r][i / 4][i % 4] = 0;
  }
  // x: the lane's first vector in the chunk; k tiles are k_tile_vectors apart.
  __device__ void multiply(const chunk_fragments& a, const uint4* x, int k_tile_vectors, int live) {
    tile_sums done[2];
    uint4 next[2] = {x[0], x[k_tile_vectors]};
#pragma unroll
    for (int r = 0; r <= most_row_tiles; ++r) {
      if (r < live && r < most_row_tiles) {
        const uint4 now[2] = {next[0], next[1]};
        const uint4* from = x + min(r + 1, live - 1) * 32;
        next[0] = from[0], next[1] = from[k_tile_vectors];
        multiply_rows(a, now, done[r % 2]);
      }
      if (r > 0 && r <= live) add(sum[r - 1], done[(r - 1) % 2]);
    }
  }

 private:
  static __device__ void add(tile_sums& to, const tile_sums& from) {
#pragma unroll
    for (int i = 0; i < column_tiles * 4; ++i) to[i / 4][i % 4] += from[i / 4][i % 4];
  }
  static __device__ void multiply_rows(const chunk_fragments& a, const uint4 (&x)[2], tile_sums& to) {
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      const bf16_pairs first = split_pair(__uint_as_float(x[k].x), __uint_as_float(x[k].y));
      const bf16_pairs second = split_pair(__uint_as_float(x[k].z), __uint_as_float(x[k].w));
      const std::uint32_t b[2][2] = {{first.high, second.high}, {first.low, second.low}};
#pragma unroll
      for (int i = 0; i < TERMS * column_tiles; ++i) {
        const int tile = i % column_tiles;
        if (k == 0 && i < column_tiles) {
          mma_bf16_first(to[tile], a[k][tile], b[0]);
        } else {
          mma_bf16(to[tile], a[k][tile], b[i / column_tiles]);
        }
      }
    }
  }
};

}  // namespace ess::ESS_CUDA::linear_parts
