// How `linear` divides its work: parts of linear.cu.
#pragma once

#include "ess_core/device/cuda/kernel.h"
#include "ess_core/device/cuda/kernels/linear.h"

namespace ess::ESS_CUDA::linear_parts {

inline constexpr int block_threads = 256;
inline constexpr int block_warps = block_threads / 32;
inline constexpr int fold_tiles =
    32;  // k tiles after which a warp's sums leave the tensor cores, which truncate

// How a product is divided. Column warps of a block work on different groups of 32 columns, its k warps on
// different segments of k; `splits` blocks share the columns. Only `row_tiles` and `passes` depend on m.
struct linear_plan {
  int column_warps;
  int k_warps;
  int column_blocks;
  int splits;
  int segment;    // k tiles of 16 a warp, even
  int row_tiles;  // of 8 rows a pass: 1, 2, 4, 8
  int passes;
};

struct linear_launch {
  linear_params p;
  linear_plan plan;
};

inline int divided(int a, int b) { return (a + b - 1) / b; }

inline constexpr int wanted_blocks = 264;  // two on each of 132 multiprocessors
inline constexpr int enough_blocks = 160;
inline constexpr int max_splits = 16;
inline constexpr int segment_at_least = 4;  // k tiles

inline linear_plan plan_of(const linear_params& p) {
  linear_plan l{};
  const int k_tiles = linear_padded(p.k) / 16;
  l.column_warps = p.n >= 1024 ? 4 : 2;
  l.k_warps = block_warps / l.column_warps;
  l.column_blocks = divided(p.n, linear_group * l.column_warps);
  const int by_size = k_tiles / (l.k_warps * segment_at_least);
  const int by_blocks = wanted_blocks / (l.column_blocks * p.batch);
  l.splits = by_size < by_blocks ? by_size : by_blocks;
  l.splits = l.splits < 1 ? 1 : l.splits > max_splits ? max_splits : l.splits;
  l.segment = 2 * divided(k_tiles / 2, l.splits * l.k_warps);
  const int most = l.k_warps == 4 ? 4 : 8;  // what two blocks of a multiprocessor have shared memory for
  for (l.row_tiles = 1; l.row_tiles < most && 8 * l.row_tiles < p.m;) l.row_tiles *= 2;
  const int blocks = l.column_blocks * l.splits * p.batch;
  if (p.row_tiles > 0) l.row_tiles = p.row_tiles < most ? p.row_tiles : most;
  while (p.row_tiles == 0 && l.row_tiles > 1 && blocks * divided(p.m, 8 * l.row_tiles) < enough_blocks)
    l.row_tiles /= 2;
  l.passes = divided(p.m, 8 * l.row_tiles);
  return l;
}

// What a thread is, and what its block works on.
struct linear_place {
  int lane, warp, column_warp, k_warp;
  int pass, column_block, split, product;
};

__device__ inline linear_place place_of(const linear_plan& l) {
  linear_place at;
  at.lane = threadIdx.x % 32;
  at.warp = threadIdx.x / 32;
  at.column_warp = at.warp % l.column_warps;
  at.k_warp = at.warp / l.column_warps;
  at.pass = blockIdx.x;
  at.column_block = blockIdx.y / l.splits;
  at.split = blockIdx.y % l.splits;
  at.product = blockIdx.z;
  return at;
}

// Rows of a pass.
struct linear_rows {
  const float* x;
  float* y;
  int count;  // none: <= 0
};

__device__ inline linear_rows rows_of(const linear_launch& a, const linear_place& at, int rows_a_pass) {
  const linear_params& p = a.p;
  const std::int64_t in_product = std::int64_t{at.pass} * rows_a_pass;
  std::int64_t row = in_product;
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

template <weight_format FORMAT, int ROW_TILES>
struct linear_sizes {
  static constexpr int step_tiles = FORMAT == weight_format::bf16 ? 1 : 2;  // k tiles in 16 bytes a lane
  static constexpr int chunk = ROW_TILES == 8   ? 2
                               : ROW_TILES == 4 ? 4
                                                : 4 * step_tiles;  // k tiles of x at a time
  static constexpr int phases = chunk == step_tiles ? 2 : 1;  // chunks of which a warp has the weights ahead
  static constexpr int together = ROW_TILES < 2 ? 1 : 2;      // row tiles that are multiplied in turns
  static constexpr int steps = chunk / step_tiles;
  static constexpr int rows = ROW_TILES * 8;
  // Of shared memory: two chunks of x, [k warps][chunk][row tiles][32 lanes], and the warps' sums.
  __host__ __device__ static constexpr int chunk_vectors(int k_warps) {
    return k_warps * chunk * ROW_TILES * 32;
  }
  __host__ __device__ static constexpr int sums_at(int k_warps) { return 2 * chunk_vectors(k_warps); }
  static constexpr int sum_vectors = ROW_TILES * 2 * block_threads;
};

}  // namespace ess::ESS_CUDA::linear_parts
