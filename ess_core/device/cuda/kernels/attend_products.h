// Query x rows, softmax, weights x rows. Parts of attend.cu.
#pragma once

#include "ess_core/device/cuda/kernels/attend_rows.h"

namespace ess::ESS_CUDA::attend_parts {

// The part of the query that a warp multiplies: 16 heads, a quarter of the width, as A fragments.
template <int TERMS>
struct query_part {
  std::uint32_t fragment[part_steps][TERMS][4];

  __device__ void load(const attend_params& p, std::int64_t lane, int first_head, int first_step) {
    const int thread = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < part_steps * 4; ++i) {
      const int head = first_head + thread / 4 + i % 2 * 8;
      const int column = (first_step + i / 4) * 16 + thread % 4 * 2 + i / 2 % 2 * 8;
      const float* from = p.query + (lane * p.heads + head) * width;
      const float a = head < p.heads ? from[column_of(column)] : 0.0f;
      const float b = head < p.heads ? from[column_of(column + 1)] : 0.0f;
      const bf16_pairs pairs = split_pair(a, b);
      fragment[i / 4][0][i % 4] = pairs.high;
      if (TERMS == 2) fragment[i / 4][TERMS - 1][i % 4] = pairs.low;
    }
  }
  // Logits of 32 rows over this part; rows: of this lane's address in the first 16.
  __device__ void multiply(const uint4* rows, float (&sum)[4][4]) const {
#pragma unroll
    for (int i = 0; i < 16; ++i) sum[i / 4][i % 4] = 0;
#pragma unroll
    for (int step = 0; step < part_steps; ++step) {
      std::uint32_t b[2][4];
      ldmatrix_x4(b[0], rows + step * 2);
      ldmatrix_x4(b[1], rows + 16 * row_stride + step * 2);
#pragma unroll
      for (int i = 0; i < TERMS * 4; ++i) {
        const int tile = i % 4;
        const std::uint32_t of_tile[2] = {b[tile / 2][tile % 2 * 2], b[tile / 2][tile % 2 * 2 + 1]};
        mma_bf16(sum[tile], fragment[step][i / 4], of_tile);
      }
    }
  }
};

// Which logits a warp makes: a part of the width for 16 heads and, of 16 heads a block, half of a tile's
// rows.
template <int HEADS>
struct logit_share {
  int part, head, first_half, halves;

  __device__ explicit logit_share(int warp)
      : part(warp / 2),
        head(HEADS == 32 ? warp % 2 * 16 : 0),
        first_half(HEADS == 32 ? 0 : warp % 2),
        halves(HEADS == 32 ? 2 : 1) {}
};

template <int HEADS, int TERMS>
__device__ inline void make_logits(const attend_place& at, const query_part<TERMS>& query,
                                   attend_shared<HEADS>& s) {
  const logit_share<HEADS> share(at.warp);
  const int row = at.lane / 16 * 8 + at.lane % 8, vector = share.part * part_steps * 2 + at.lane / 8 % 2;
  for (int half = share.first_half; half < share.first_half + share.halves; ++half) {
    float sum[4][4];
    query.multiply(&s.rows[half * 32 + row][vector], sum);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int head = share.head + at.lane / 4 + i % 2 * 8, of_row = half * 32 + i / 2 * 8 + at.lane % 4 * 2;
      *reinterpret_cast<float2*>(&s.logits[share.part][head][of_row]) = {sum[i / 2][i % 2 * 2],
                                                                         sum[i / 2][i % 2 * 2 + 1]};
    }
  }
}

// Eight threads share a head; each takes rows 4 j .. and 32 + 4 j .. of a tile.
template <int HEADS, int TERMS>
struct softmax {
  int head, first_row;
  float top = -infinity, sum = 0;  // of this thread's rows

  __device__ explicit softmax(int thread) : head(thread / 8), first_row(thread % 8 * 4) {}

  __device__ void logits_of(const attend_shared<HEADS>& s, float scale, int count, float (&x)[8]) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = half * 32 + first_row;
      float4 v = *reinterpret_cast<const float4*>(&s.logits[0][head][row]);
#pragma unroll
      for (int part = 1; part < k_parts; ++part) {
        const float4 w = *reinterpret_cast<const float4*>(&s.logits[part][head][row]);
        v = {v.x + w.x, v.y + w.y, v.z + w.z, v.w + w.w};
      }
      const float all[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
      for (int i = 0; i < 4; ++i) x[half * 4 + i] = row + i < count ? all[i] * scale : -infinity;
    }
  }
  __device__ void store(attend_shared<HEADS>& s, const float (&x)[8]) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float* v = x + half * 4;
      const bf16_pairs a = split_pair(v[0], v[1]), b = split_pair(v[2], v[3]);
      s.weights[0][head][half * 8 + first_row / 4] = {a.high, b.high};
      if (TERMS == 2) s.weights[1][head][half * 8 + first_row / 4] = {a.low, b.low};
    }
  }
  __device__ void soften(attend_shared<HEADS>& s, float scale, int count) {
    float x[8];
    logits_of(s, scale, count, x);
    float most = top;
#pragma unroll
    for (int i = 0; i < 8; ++i) most = fmaxf(most, x[i]);
#pragma unroll
    for (int d = 1; d < 8; d *= 2) most = fmaxf(most, __shfl_xor_sync(~0u, most, d));
    const float fade = __expf(top - most);
    top = most;
    sum *= fade;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      x[i] = __expf(x[i] - most);
      sum += x[i];
    }
    store(s, x);
    if (first_row == 0) s.fade[head] = fade;
  }
  // The logarithm of the whole sum; leaves its inverse where the fading was.
  __device__ float finish(attend_shared<HEADS>& s) {
#pragma unroll
    for (int d = 1; d < 8; d *= 2) sum += __shfl_xor_sync(~0u, sum, d);
    if (first_row == 0) s.fade[head] = 1.0f / sum;
    return top + logf(sum);
  }
};

// A warp's 64 columns of the output, all heads of the block.
template <int HEADS, int TERMS>
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
  __device__ void add_rows(const attend_place& at, const attend_shared<HEADS>& s) {
    const int in_16 = at.lane / 8 % 2 * 8 + at.lane % 8, in_vectors = at.lane / 16;
#pragma unroll
    for (int row = 0; row < tile_rows; row += 16) {
      std::uint32_t a[head_tiles][TERMS][4];
#pragma unroll
      for (int i = 0; i < head_tiles * TERMS; ++i)
        ldmatrix_x4(a[i % head_tiles][i / head_tiles],
                    &s.weights[i / head_tiles][i % head_tiles * 16 + in_16][row / 4 + in_vectors * 2]);
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        std::uint32_t b[4];
        ldmatrix_x4_trans(b, &s.rows[row + in_16][at.warp * 8 + c * 2 + in_vectors]);
        const std::uint32_t b0[2] = {b[0], b[1]}, b1[2] = {b[2], b[3]};
#pragma unroll
        for (int i = 0; i < head_tiles * TERMS; ++i) {
          mma_bf16(sum[i % head_tiles][c * 2], a[i % head_tiles][i / head_tiles], b0);
          mma_bf16(sum[i % head_tiles][c * 2 + 1], a[i % head_tiles][i / head_tiles], b1);
        }
      }
    }
  }
  // out: of the block's first head; those beyond `heads` are padding.
  __device__ void write(float* out, int heads, const attend_place& at) const {
#pragma unroll
    for (int i = 0; i < head_tiles * 16; ++i) {
      const int head = i / 8 * 8 + at.lane / 4, column = at.warp * 64 + i % 8 * 8 + at.lane % 4 * 2;
      if (head >= heads) continue;
      out[head * latent + column_of(column)] = sum[i / 16][i % 8][i / 8 % 2 * 2];
      out[head * latent + column_of(column + 1)] = sum[i / 16][i % 8][i / 8 % 2 * 2 + 1];
    }
  }
};

}  // namespace ess::ESS_CUDA::attend_parts
