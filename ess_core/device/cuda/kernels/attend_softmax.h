// Logits to weights. A part of attend.cu.
#pragma once

#include "ess_core/device/cuda/kernels/attend_rows.h"

namespace ess::ESS_CUDA::attend_parts {

// ROWS / 4 threads share a head; each takes 4 rows of a tile. The threads of the warps that unpack rows work
// on all heads of the block, in one turn or two. Exponents are of 2.
template <int HEADS, int ROWS, int TERMS>
struct softmax {
  static constexpr int sharers = ROWS / 4;
  static constexpr int heads_a_turn = row_warps * 32 / sharers;
  static constexpr int turns = HEADS / heads_a_turn;
  // What a weight may exceed 1 by before earlier sums are scaled: they hardly ever are.
  static constexpr float slack = 8;
  int head, row;
  float scale;                   // with log2(e)
  float top[turns], sum[turns];  // sum: of this thread's rows

  __device__ softmax(int thread, float of_logits)
      : head(thread / sharers), row(thread % sharers * 4), scale(of_logits * 1.4426950408889634f) {
#pragma unroll
    for (int i = 0; i < turns; ++i) top[i] = -infinity, sum[i] = 0;
  }

  __device__ void logits_of(const float (*logits)[HEADS][ROWS + 8], int of_head, int count,
                            float (&x)[4]) const {
    float4 v = *reinterpret_cast<const float4*>(&logits[0][of_head][row]);
#pragma unroll
    for (int part = 1; part < k_parts; ++part) {
      const float4 w = *reinterpret_cast<const float4*>(&logits[part][of_head][row]);
      v = {v.x + w.x, v.y + w.y, v.z + w.z, v.w + w.w};
    }
    const float all[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) x[i] = row + i < count ? all[i] * scale : -infinity;
  }
  __device__ static float largest(const float (&x)[4]) {
    float most = fmaxf(fmaxf(x[0], x[1]), fmaxf(x[2], x[3]));
#pragma unroll
    for (int d = 1; d < sharers; d *= 2) most = fmaxf(most, __shfl_xor_sync(~0u, most, d));
    return most;
  }
  // count: rows of the tile that there are.
  __device__ void soften(attend_shared<HEADS, ROWS>& s, int tile, int count) {
#pragma unroll
    for (int turn = 0; turn < turns; ++turn) {
      const int of_head = turn * heads_a_turn + head;
      float x[4];
      logits_of(s.logits[tile % 2], of_head, count, x);
      const float most = largest(x);
      const bool rises = most > top[turn] + slack;
      const float fade = rises ? exp2_approx(top[turn] - most) : 1.0f;
      top[turn] = rises ? most : top[turn];
#pragma unroll
      for (int i = 0; i < 4; ++i) x[i] = exp2_approx(x[i] - top[turn]);
      sum[turn] = sum[turn] * fade + ((x[0] + x[1]) + (x[2] + x[3]));
      const bf16_pairs a = split_pair(x[0], x[1]), b = split_pair(x[2], x[3]);
      s.weights[tile % 2][0][of_head][row / 4] = {a.high, b.high};
      if (TERMS == 2) s.weights[tile % 2][1][of_head][row / 4] = {a.low, b.low};
      if (row == 0) s.fade[tile % 2][of_head] = fade;
    }
  }
  // Leaves inverse sums for those who write the output. lse: of the block's first head.
  __device__ void finish(attend_shared<HEADS, ROWS>& s, float* lse, int heads) {
#pragma unroll
    for (int turn = 0; turn < turns; ++turn) {
      const int of_head = turn * heads_a_turn + head;
      float all = sum[turn];
#pragma unroll
      for (int d = 1; d < sharers; d *= 2) all += __shfl_xor_sync(~0u, all, d);
      if (row != 0) continue;
      s.inverse[of_head] = 1.0f / all;
      if (of_head < heads) lse[of_head] = (top[turn] + log2f(all)) * 0.6931471805599453f;
    }
  }
};

}  // namespace ess::ESS_CUDA::attend_parts
