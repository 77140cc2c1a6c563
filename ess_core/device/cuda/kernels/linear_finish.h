// From a warp's sums to y: over the k warps of a block and the blocks of a tile. Parts of linear.cu.
#pragma once

#include "ess_core/device/cuda/kernels/linear_product.h"

namespace ess::ESS_CUDA::linear_parts {

// Four sums of a lane: 16 columns x 8 rows are an item; items of a tile: [row tiles][column warps][4].
struct linear_finish {
  const linear_launch& a;
  const linear_place& at;
  const linear_rows& rows;
  float4* warp_sums;     // of shared memory, [warps][4][32 lanes]; only with several k warps
  std::uint32_t* count;  // of shared memory

  // The block is done with its part of the tile.
  template <int TERMS>
  __device__ void tile(int tile, const warp_product<TERMS>& product) const {
    const int unit = tile * a.plan.units;
    const int first = a.plan.block_of(unit), last = a.plan.block_of(unit + a.plan.units - 1);
    float4* own = first == last ? nullptr : piece(at.block + tile) + at.lane;
    for_each_item(product, [&](int item, const float4& sum) {
      if (own == nullptr) {
        write(tile, item, sum);
      } else {
        own[item * 32] = sum;
      }
    });
    if (own == nullptr) return;
    if (is_last(tile, last - first + 1)) add_up(tile, piece(first + tile), last - first + 1);
  }

 private:
  // f(item, sums of all k warps) for the thread's share.
  template <int TERMS, class F>
  __device__ void for_each_item(const warp_product<TERMS>& product, F f) const {
    const int items = a.plan.column_warps * column_tiles;  // of a row tile
#pragma unroll
    for (int r = 0; r < most_row_tiles; ++r) {
      if (r >= rows.tiles()) break;
      if (a.plan.k_warps > 1 && r > 0) __syncthreads();
#pragma unroll
      for (int t = 0; t < column_tiles; ++t) {
        const float(&d)[4] = product.sum[r][t];
        const float4 sum = {d[0], d[1], d[2], d[3]};
        if (a.plan.k_warps == 1) {
          f(r * items + at.column_warp * column_tiles + t, sum);
        } else {
          warp_sums[(at.warp * column_tiles + t) * 32 + at.lane] = sum;
        }
      }
      if (a.plan.k_warps == 1) continue;
      __syncthreads();
      for (int i = at.warp; i < items; i += block_warps) f(r * items + i, sum_over_warps(i, items));
    }
  }
  static __device__ void add_to(float4& a, const float4& b) {
    a = {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w};
  }
  __device__ float4 sum_over_warps(int item, int items) const {
    const float4* from = warp_sums + item * 32 + at.lane;
    float4 sum = from[0];
    for (int w = 1; w < a.plan.k_warps; ++w) add_to(sum, from[w * items * 32]);
    return sum;
  }
  __device__ float4* piece(int number) const {
    const std::int64_t before = (std::int64_t{at.product} * a.plan.passes + at.pass) * a.plan.pieces();
    return reinterpret_cast<float4*>(a.p.scratch + linear_counter_bytes) +
           (before + number) * a.plan.tile_vectors();
  }
  __device__ bool is_last(int tile, int blocks) const {
    auto* counter = reinterpret_cast<std::uint32_t*>(a.p.scratch) +
                    (at.product * a.plan.tiles + tile) * a.plan.passes + at.pass;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) *count = atomicAdd(counter, 1u);
    __syncthreads();
    __threadfence();
    const bool last = *count == static_cast<std::uint32_t>(blocks) - 1;
    if (last && threadIdx.x == 0) *counter = 0;
    return last;
  }
  // In the order of the blocks; the loads of several items are on their way at once.
  __device__ void add_up(int tile, const float4* first, int blocks) const {
    constexpr int together = 4;
    const int items = rows.tiles() * a.plan.column_warps * column_tiles;
    const std::int64_t vectors = a.plan.tile_vectors();
    for (int item = at.warp; item < items; item += together * block_warps) {
      float4 sum[together] = {};
#pragma unroll 4
      for (int b = 0; b < blocks; ++b)
#pragma unroll
        for (int i = 0; i < together; ++i)
          add_to(sum[i], __ldcg(first + b * vectors + min(item + i * block_warps, items - 1) * 32 + at.lane));
#pragma unroll
      for (int i = 0; i < together; ++i)
        if (item + i * block_warps < items) write(tile, item + i * block_warps, sum[i]);
    }
  }
  __device__ void write(int tile, int item, const float4& sum) const {
    const float scale = a.p.scales != nullptr ? a.p.scales[at.product] : a.p.scale;
    const int items = a.plan.column_warps * column_tiles;
    const int column = (tile * items + item % items) * 16 + at.lane / 4;
    const int row = item / items * 8 + at.lane % 4 * 2;
    float* y = rows.y + row * a.p.ldy;
    if (row < rows.count) {
      write_element(y, column, sum.x * scale);
      write_element(y, column + 8, sum.z * scale);
    }
    if (row + 1 < rows.count) {
      write_element(y + a.p.ldy, column, sum.y * scale);
      write_element(y + a.p.ldy, column + 8, sum.w * scale);
    }
  }
  __device__ void write_element(float* y, int column, float value) const {
    if (column >= a.p.n) return;
    y[column] = a.p.output == linear_output::add ? y[column] + value : value;
  }
};

}  // namespace ess::ESS_CUDA::linear_parts
