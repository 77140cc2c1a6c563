// Query x rows and weights x rows. Parts of attend.cu.
#pragma once

#include "ess_core/device/cuda/kernels/attend_rows.h"

namespace ess::ESS_CUDA::attend_parts {

// Which logits a warp makes: a part of the width for 16 heads and, of 16 heads a block, half of a tile's
// rows.
template <int HEADS, int ROWS>
struct logit_share {
  static constexpr int rows = HEADS == 32 ? ROWS : ROWS / 2;
  int part, head, row;

  __device__ explicit logit_share(int warp)
      : part(warp / 2), head(HEADS == 32 ? warp % 2 * 16 : 0), row(HEADS == 32 ? 0 : warp % 2 * rows) {}
};

// Where a lane of a product warp reads and writes, of the first tile: addresses of ldmatrix, but for logits
// and the query's fragments.
template <int HEADS, int ROWS>
struct product_places {
  const uint4 *keys, *values, *query;
  const uint2* weights;
  float* logits;

  __device__ product_places(const attend_place& at, attend_shared<HEADS, ROWS>& s) {
    const logit_share<HEADS, ROWS> its(at.warp);
    const int in_16 = at.lane % 16, half = at.lane / 16;
    keys = &s.rows[0][its.row + half * 8 + at.lane % 8][its.part * part_steps * 2 + in_16 / 8];
    values = &s.rows[0][in_16][at.warp * 8 + half];
    query = &s.query[at.warp][0][at.lane];
    weights = &s.weights[0][0][in_16][half * 2];
    logits = &s.logits[0][its.part][its.head + at.lane / 4][its.row + at.lane % 4 * 2];
  }
};

// The part of the query that a warp multiplies: 16 heads, a quarter of the width, as A fragments. What each
// lane leaves in shared memory it reads itself.
template <int HEADS, int ROWS, int TERMS>
struct query_part {
  using share = logit_share<HEADS, ROWS>;
  static constexpr int low_steps = TERMS == 2 ? part_steps - shared_steps : 0;
  std::uint32_t high[part_steps][4], low[low_steps + 1][4];

  __device__ void load(const attend_params& p, const attend_place& at, attend_shared<HEADS, ROWS>& s) {
    const share its(at.warp);
    const float* row[2];  // heads of padding repeat the last one
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int head = min(at.first_head + its.head + at.lane / 4 + i * 8, p.heads - 1);
      row[i] = p.query + (at.batch_lane * p.heads + head) * width;
    }
#pragma unroll
    for (int step = 0; step < part_steps; ++step) {
      std::uint32_t rest[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float* const from = row[i % 2];
        const int column = (its.part * part_steps + step) * 16 + at.lane % 4 * 2 + i / 2 * 8;
        const float a = from[column_of(column)], b = from[column_of(column + 1)];
        const bf16_pairs pairs = split_pair(a, b);
        high[step][i] = pairs.high;
        rest[i] = pairs.low;
        if (step < low_steps) low[step][i] = rest[i];
      }
      if (TERMS == 2 && step >= low_steps)
        s.query[at.warp][step - low_steps][at.lane] = {rest[0], rest[1], rest[2], rest[3]};
    }
  }
  // Logits of the share's rows over this part.
  __device__ void multiply(const uint4* keys, const uint4* low_in_shared,
                           float (&sum)[share::rows / 8][4]) const {
    constexpr int tiles = share::rows / 8;
#pragma unroll
    for (int i = 0; i < tiles * 4; ++i) sum[i / 4][i % 4] = 0;
#pragma unroll
    for (int step = 0; step < part_steps; ++step) {
      std::uint32_t b[tiles / 2][4];
#pragma unroll
      for (int i = 0; i < tiles / 2; ++i) ldmatrix_x4(b[i], keys + i * 16 * row_stride + step * 2);
      std::uint32_t a[TERMS][4];
      terms_of(step, low_in_shared, a);
#pragma unroll
      for (int i = 0; i < TERMS * tiles; ++i) {
        const int tile = i % tiles;
        const std::uint32_t of_tile[2] = {b[tile / 2][tile % 2 * 2], b[tile / 2][tile % 2 * 2 + 1]};
        mma_bf16(sum[tile], a[i / tiles], of_tile);
      }
    }
  }
  __device__ void terms_of(int step, const uint4* low_in_shared, std::uint32_t (&a)[TERMS][4]) const {
    uint4 rest{};
    if (TERMS == 2 && step >= low_steps) rest = low_in_shared[(step - low_steps) * 32];
    const std::uint32_t of_shared[4] = {rest.x, rest.y, rest.z, rest.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      a[0][i] = high[step][i];
      if (TERMS == 2) a[TERMS - 1][i] = step < low_steps ? low[step][i] : of_shared[i];
    }
  }
  __device__ void make_logits(const product_places<HEADS, ROWS>& places, unsigned tile) const {
    constexpr int stride = ROWS + 8;
    float sum[share::rows / 8][4];
    multiply(places.keys + tile % row_buffers * (ROWS * row_stride), places.query, sum);
    float* const to = places.logits + tile % 2 * (k_parts * HEADS * stride);
#pragma unroll
    for (int i = 0; i < share::rows / 4; ++i)
      *reinterpret_cast<float2*>(to + i % 2 * 8 * stride + i / 2 * 8) = {sum[i / 2][i % 2 * 2],
                                                                         sum[i / 2][i % 2 * 2 + 1]};
  }
};

// A warp's 64 columns of the output, all heads of the block.
template <int HEADS, int ROWS, int TERMS>
struct output_part {
  static constexpr int head_tiles = HEADS / 16;
  float sum[head_tiles][8][4];

  __device__ void clear() {
#pragma unroll
    for (int i = 0; i < head_tiles * 32; ++i) sum[i / 32][i / 4 % 8][i % 4] = 0;
  }
  __device__ void multiply_by(const float* of_heads, int lane) {
#pragma unroll
    for (int i = 0; i < head_tiles * 2; ++i) {
      const float factor = of_heads[i * 8 + lane / 4];
#pragma unroll
      for (int c = 0; c < 8; ++c) {
        sum[i / 2][c][i % 2 * 2] *= factor;
        sum[i / 2][c][i % 2 * 2 + 1] *= factor;
      }
    }
  }
  __device__ void add_tile(const product_places<HEADS, ROWS>& places, const float (&fade)[2][HEADS],
                           unsigned tile, int lane) {
    if (__any_sync(~0u, fade[tile % 2][lane % HEADS] != 1.0f)) multiply_by(fade[tile % 2], lane);
    constexpr int stride = ROWS / 4 + 2;
    const uint4* const values = places.values + tile % row_buffers * (ROWS * row_stride);
    const uint2* const weights = places.weights + tile % 2 * (2 * HEADS * stride);
#pragma unroll 1  // two at once take more registers than there are on sm_100
    for (int row = 0; row < ROWS; row += 16) {
      std::uint32_t a[head_tiles][TERMS][4];
#pragma unroll
      for (int i = 0; i < head_tiles * TERMS; ++i)
        ldmatrix_x4(a[i % head_tiles][i / head_tiles],
                    weights + (i / head_tiles * HEADS + i % head_tiles * 16) * stride + row / 4);
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        std::uint32_t b[4];
        ldmatrix_x4_trans(b, values + row * row_stride + c * 2);
        const std::uint32_t b0[2] = {b[0], b[1]}, b1[2] = {b[2], b[3]};
#pragma unroll
        for (int i = 0; i < head_tiles * TERMS; ++i) {
          mma_bf16(sum[i % head_tiles][c * 2], a[i % head_tiles][i / head_tiles], b0);
          mma_bf16(sum[i % head_tiles][c * 2 + 1], a[i % head_tiles][i / head_tiles], b1);
        }
      }
    }
  }
  // out: of the block's first head; those beyond `heads` are padding. Lanes swap values, so that each holds
  // two neighbours of what `column_of` has spread.
  __device__ void write(float* out, int heads, const attend_place& at) const {
    const bool odd = at.lane % 2 != 0;
#pragma unroll
    for (int i = 0; i < head_tiles * 16; ++i) {
      const float a = sum[i / 16][i % 8][i / 8 % 2 * 2], b = sum[i / 16][i % 8][i / 8 % 2 * 2 + 1];
      const float other = __shfl_xor_sync(~0u, odd ? a : b, 1);
      const int head = i / 8 * 8 + at.lane / 4, column = at.warp * 64 + i % 8 * 8;
      if (head < heads)
        *reinterpret_cast<float2*>(out + head * latent + column_of(column) + at.lane % 4 * 2) =
            odd ? float2{other, b} : float2{a, other};
    }
  }
};

}  // namespace ess::ESS_CUDA::attend_parts
