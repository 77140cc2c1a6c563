// How `linear` divides its work: parts of linear.cu.
#pragma once

#include "ess_core/device/cuda/kernel.h"
#include "ess_core/device/cuda/kernels/linear.h"

namespace ess::ESS_CUDA::linear_parts {

inline constexpr int block_threads = 256;
inline constexpr int block_warps = block_threads / 32;
inline constexpr int warp_columns = 64;
inline constexpr int column_tiles = warp_columns / 16;  // of mma, a warp
inline constexpr int most_row_tiles = 8;                // of 8 rows a pass
inline constexpr int chunk_k = 32;                      // what a warp multiplies between barriers

// Column warps of a block work on different 64 columns, its k warps on every k_warps-th chunk of k. A tile is
// the columns of a block, a unit what a block multiplies of it between barriers. The blocks of a product
// share its tiles x units evenly, tile by tile, wherever their parts begin and end. Only `row_tiles`,
// `passes` and `stages` depend on m.
struct linear_plan {
  int column_warps;
  int k_warps;
  int tiles;
  int units;   // a tile
  int blocks;  // a product
  int row_tiles;
  int passes;
  int stages;

  [[nodiscard]] __host__ __device__ int first_unit(int block) const {
    return block * (tiles * units) / blocks;
  }
  [[nodiscard]] __host__ __device__ int block_of(int unit) const {
    return ((unit + 1) * blocks - 1) / (tiles * units);
  }
  [[nodiscard]] __host__ __device__ bool shares_tiles() const { return tiles % blocks != 0; }
  // Sums of a tile in a pass, four a vector.
  [[nodiscard]] __host__ __device__ int tile_vectors() const {
    return row_tiles * column_warps * column_tiles * 32;
  }
  // Of a product in a pass: block b's part of tile t is piece b + t.
  [[nodiscard]] __host__ __device__ int pieces() const { return blocks + tiles; }
};

struct linear_launch {
  linear_params p;
  linear_plan plan;
};

__host__ __device__ inline int divided(int a, int b) { return (a + b - 1) / b; }

inline constexpr int wanted_blocks = 132;  // one on each multiprocessor
inline constexpr int wanted_tiles = 28;    // more blocks than five to a tile are slow to add up
// Of each expert: few may have rows, and blocks without rows are not free.
inline constexpr int wanted_expert_tiles = 14;
inline constexpr int units_at_least = 2;  // a block
inline constexpr int most_stages = 4;
inline constexpr int ring_bytes = 160 * 1024;  // what an A100 has, too
inline constexpr int most_x_tiles = 40;        // row tiles x k warps: then two stages fit
inline constexpr int warp_sums_bytes = block_threads * column_tiles * 16;

// 16-byte vectors a lane of a chunk of 32 columns.
[[nodiscard]] __host__ __device__ constexpr int chunk_vectors(weight_format f) {
  return f == weight_format::bf16 ? 4 : 2;
}
[[nodiscard]] __host__ __device__ constexpr int stage_weights(weight_format f) {
  return block_threads * 2 * chunk_vectors(f);
}
[[nodiscard]] __host__ __device__ inline int stage_vectors(weight_format f, const linear_plan& l) {
  return stage_weights(f) + l.k_warps * 2 * l.row_tiles * 32;
}

inline int column_warps_of(const linear_params& p) {
  for (int warps = block_warps; warps > 1; warps /= 2) {
    const int tiles = divided(p.n, warps * warp_columns), needed = divided(p.n, warp_columns);
    const bool enough = p.starts != nullptr ? tiles >= wanted_expert_tiles : tiles * p.batch >= wanted_tiles;
    if (enough && 3 * tiles * warps <= 4 * needed) return warps;
  }
  return 1;
}

inline int blocks_of(const linear_params& p, const linear_plan& l) {
  const auto at_least_one = [](int x) { return x < 1 ? 1 : x; };
  const auto smaller = [](int a, int b) { return a < b ? a : b; };
  if (p.batch == 1) return at_least_one(smaller(wanted_blocks, l.tiles * l.units / units_at_least));
  return l.tiles * at_least_one(smaller(wanted_blocks / (l.tiles * p.batch), l.units / units_at_least));
}

inline linear_plan plan_of(const linear_params& p) {
  linear_plan l{};
  l.column_warps = column_warps_of(p);
  l.k_warps = block_warps / l.column_warps;
  l.tiles = divided(p.n, l.column_warps * warp_columns);
  l.units = divided(p.k, l.k_warps * chunk_k);
  l.blocks = blocks_of(p, l);
  const int fitting = most_x_tiles / l.k_warps;
  const int most = fitting < most_row_tiles ? fitting : most_row_tiles;
  const int tiles = divided(p.m, 8);
  l.row_tiles = divided(tiles, divided(tiles, most));
  if (p.row_tiles > 0) l.row_tiles = p.row_tiles < most ? p.row_tiles : most;
  l.passes = divided(tiles, l.row_tiles);
  const int ring = ring_bytes - (l.k_warps > 1 ? warp_sums_bytes : 0);
  const int fit = ring / (stage_vectors(p.format, l) * 16);
  l.stages = fit < most_stages ? fit : most_stages;
  return l;
}

// What a thread is, and what its block works on.
struct linear_place {
  int lane, warp, column_warp, k_warp;
  int pass, block, product;
};

__device__ inline linear_place place_of(const linear_plan& l) {
  linear_place at;
  at.lane = threadIdx.x % 32;
  at.warp = threadIdx.x / 32;
  at.column_warp = at.warp % l.column_warps;
  at.k_warp = at.warp / l.column_warps;
  at.pass = blockIdx.x;
  at.block = blockIdx.y;
  at.product = blockIdx.z;
  return at;
}

// Rows of a pass.
struct linear_rows {
  const float* x;
  float* y;
  int count;  // none: <= 0
  [[nodiscard]] __device__ int tiles() const { return (count + 7) / 8; }
};

__device__ inline linear_rows rows_of(const linear_launch& a, const linear_place& at) {
  const linear_params& p = a.p;
  const int rows_a_pass = a.plan.row_tiles * 8;
  std::int64_t row = std::int64_t{at.pass} * rows_a_pass;
  int count = p.m - at.pass * rows_a_pass;
  std::int64_t x = at.product * p.x_stride, y = at.product * p.y_stride;
  if (p.starts != nullptr) {
    const std::int32_t start = p.starts[at.product];
    count = p.starts[at.product + 1] - start - at.pass * rows_a_pass;
    row += start;
    x = y = 0;
  }
  return {p.x + x + row * p.ldx, p.y + y + row * p.ldy, count < rows_a_pass ? count : rows_a_pass};
}

// A unit of a block's part, in order.
struct linear_cursor {
  int tile, unit;
  __device__ void advance(int units) {
    if (++unit == units) unit = 0, ++tile;
  }
};

}  // namespace ess::ESS_CUDA::linear_parts
