#include "ess_core/device/cpu/kernels/attend.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ess_core/device/cpu/kernels/attend.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After highway.h, and once for each target as well.
#include <hwy/cache_control.h>
#include <hwy/contrib/math/math-inl.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <type_traits>

#include "ess_core/device/cpu/kernels/codes-inl.h"
#include "ess_core/device/cpu/kernels/dot_block-inl.h"
#include "ess_core/device/cpu/kernels/unpack-inl.h"

#ifndef ESS_CPU_KERNELS_ATTEND_LIMITS
#define ESS_CPU_KERNELS_ATTEND_LIMITS
namespace ess::cpu {
// An odd number of cache lines, so that the rows of a block fall into different sets of the cache.
inline constexpr std::size_t attend_stride = 592;
inline constexpr int attend_lanes = 16;  // heads are padded to a multiple
inline constexpr int attend_tile = 48;   // rows that are dequantised and attended at a time
}  // namespace ess::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace ess::cpu::HWY_NAMESPACE {

static_assert(attend_tile == row_tile);

// The parts of the caller's scratch. H: heads padded to whole vectors.
struct attend_scratch {
  float* query;   // H x (kv_lora + rope), grouped, see group_heads
  float* rows;    // [row_tile][attend_stride], one tile in f32
  float* weight;  // [row_tile][H]: logits, then exp(logit - running maximum)
  float* top;     // [H] running maximum
  float* sum;     // [H] of exp(logit - top)
  float* fade;    // [H] exp(old top - new top)
};

struct attend_sizes {
  int heads;    // padded
  int vectors;  // of heads
};

inline attend_scratch carve(float* memory, const attend_params& p, int heads) {
  attend_scratch s{};
  const auto padded = static_cast<std::size_t>(heads);
  s.query = memory;
  s.rows = s.query + padded * (p.kv_lora + p.rope);
  s.weight = s.rows + row_tile * attend_stride;
  s.top = s.weight + row_tile * padded;
  s.sum = s.top + padded;
  s.fade = s.sum + padded;
  return s;
}

// Takes the next valid rows from position `next` on, at most a tile.
inline int collect(const attend_params& p, std::int64_t& next, const std::uint8_t** rows) {
  int count = 0;
  for (; next < p.n && count < row_tile; ++next)
    if (p.rows[next] != nullptr) rows[count++] = p.rows[next];
  return count;
}

inline void prefetch_rows(const std::uint8_t* const* rows, int count, std::size_t bytes) {
  for (int i = 0; i < count; ++i)
    for (std::size_t offset = 0; offset < bytes; offset += 64) hwy::Prefetch(rows[i] + offset);
}

template <class DF>
void compute_logits(DF d, const attend_params& p, attend_sizes size, int count, const attend_scratch& s) {
  const std::size_t lanes = hn::Lanes(d);
  const auto scale = hn::Set(d, p.scale);
  const auto dims = static_cast<std::size_t>(p.kv_lora + p.rope);
  for_each_head_group(size.vectors, [&](auto vectors, int vector) {
    constexpr int width = vectors();
    const float* query = s.query + vector * lanes * dims;
    for (int first = 0; first < count; first += block_rows(width)) {
      float* weight = s.weight + static_cast<std::size_t>(first) * size.heads + vector * lanes;
      dot_block<width, attend_stride>(
          d, query, s.rows + first * attend_stride, dims, [&](int r, int v, auto dot) {
            hn::Store(hn::Mul(dot, scale), d, weight + static_cast<std::size_t>(r) * size.heads + v * lanes);
          });
    }
  });
}

// Logits -> weights relative to the new running maximum; lanes are heads, rows in ascending order.
template <class DF>
void soften(DF d, attend_sizes size, int count, const attend_scratch& s) {
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t h = 0; h < static_cast<std::size_t>(size.heads); h += lanes) {
    const auto before = hn::Load(d, s.top + h);
    auto top = before;
    for (int r = 0; r < count; ++r) top = hn::Max(top, hn::Load(d, s.weight + r * size.heads + h));
    const auto fade = hn::Exp(d, hn::Sub(before, top));
    auto sum = hn::Mul(hn::Load(d, s.sum + h), fade);
    for (int r = 0; r < count; ++r) {
      float* weight = s.weight + r * size.heads + h;
      const auto distance = hn::Sub(hn::Load(d, weight), top);
      // Exp makes a zero of a NaN, which would hide it.
      const auto value = hn::IfThenElse(hn::IsNaN(distance), distance, hn::Exp(d, distance));
      hn::Store(value, d, weight);
      sum = hn::Add(sum, value);
    }
    hn::Store(top, d, s.top + h);
    hn::Store(fade, d, s.fade + h);
    hn::Store(sum, d, s.sum + h);
  }
}

// out[heads][columns] = out * fade + sum over rows of weight * latent, in registers.
template <int heads, int columns, class DF>
HWY_INLINE void accumulate_block(DF d, const attend_scratch& s, int padded, int count, int head,
                                 std::size_t column, float* HWY_RESTRICT out, std::size_t out_stride) {
  const std::size_t lanes = hn::Lanes(d);
  hn::Vec<DF> sum[heads][columns];
#pragma GCC unroll 4
  for (int h = 0; h < heads; ++h)
#pragma GCC unroll 4
    for (int c = 0; c < columns; ++c)
      sum[h][c] = hn::Mul(hn::LoadU(d, out + h * out_stride + c * lanes), hn::Set(d, s.fade[head + h]));
  const float* HWY_RESTRICT row = s.rows + column;
  const float* HWY_RESTRICT weight = s.weight + head;
  for (int r = 0; r < count; ++r, row += attend_stride, weight += padded) {
    hn::Vec<DF> value[columns];
#pragma GCC unroll 4
    for (int c = 0; c < columns; ++c) value[c] = hn::Load(d, row + c * lanes);
#pragma GCC unroll 4
    for (int h = 0; h < heads; ++h) {
      const auto factor = hn::Set(d, weight[h]);
#pragma GCC unroll 4
      for (int c = 0; c < columns; ++c) sum[h][c] = hn::MulAdd(value[c], factor, sum[h][c]);
    }
  }
#pragma GCC unroll 4
  for (int h = 0; h < heads; ++h)
#pragma GCC unroll 4
    for (int c = 0; c < columns; ++c) hn::StoreU(sum[h][c], d, out + h * out_stride + c * lanes);
}

template <int heads, class DF>
HWY_INLINE void accumulate_heads(DF d, const attend_params& p, const attend_scratch& s, int padded, int count,
                                 int head) {
  constexpr int columns = many_registers ? 4 : 3;
  const std::size_t lanes = hn::Lanes(d);
  const auto width = static_cast<std::size_t>(p.kv_lora);
  float* out = p.out + head * width;
  std::size_t column = 0;
  for (; column + columns * lanes <= width; column += columns * lanes)
    accumulate_block<heads, columns>(d, s, padded, count, head, column, out + column, width);
  for (; column < width; column += lanes)
    accumulate_block<heads, 1>(d, s, padded, count, head, column, out + column, width);
}

template <class DF>
void accumulate(DF d, const attend_params& p, attend_sizes size, int count, const attend_scratch& s) {
  int head = 0;
  for (; head + 4 <= p.heads; head += 4) accumulate_heads<4>(d, p, s, size.heads, count, head);
  for (; head < p.heads; ++head) accumulate_heads<1>(d, p, s, size.heads, count, head);
}

template <class DF>
void finish(DF d, const attend_params& p, const attend_scratch& s) {
  const auto width = static_cast<std::size_t>(p.kv_lora);
  for (int h = 0; h < p.heads; ++h) {
    p.lse[h] = s.top[h] + std::log(s.sum[h]);
    const auto factor = hn::Set(d, 1.0f / s.sum[h]);
    float* out = p.out + h * width;
    for (std::size_t c = 0; c < width; c += hn::Lanes(d))
      hn::StoreU(hn::Mul(hn::LoadU(d, out + c), factor), d, out + c);
  }
}

// The rows beyond `count` that the last block reads are zeros, so that no stray value costs time.
template <class DF>
void load_rows(DF d, const attend_params& p, const std::uint8_t* const* rows, int count, float* tile) {
  const latent_row_format format{p.kv_lora, p.rope};
  for (int i = 0; i < count; ++i) {
    float* row = tile + i * attend_stride;
    unpack(d, rows[i], format, row, row + p.kv_lora);
  }
  const int end = std::min(row_tile, (count + 15) / 16 * 16 + 8);
  std::fill(tile + count * attend_stride, tile + end * attend_stride, 0.0f);
}

void attend_simd(const attend_params& p) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const int vectors = (p.heads + lanes - 1) / lanes;
  const attend_sizes size{vectors * lanes, vectors};
  const attend_scratch s = carve(static_cast<float*>(p.scratch), p, size.heads);
  const auto row_bytes = static_cast<std::size_t>(latent_row_format{p.kv_lora, p.rope}.bytes());
  std::fill_n(p.out, static_cast<std::size_t>(p.heads) * p.kv_lora, 0.0f);
  std::fill_n(s.top, size.heads, -std::numeric_limits<float>::infinity());
  std::fill_n(s.sum, size.heads, 0.0f);

  const std::uint8_t* rows[2][row_tile];
  std::int64_t next = 0;
  int count = collect(p, next, rows[0]);
  if (count == 0) return void(std::fill_n(p.lse, p.heads, std::numeric_limits<float>::infinity()));
  group_heads(d, p.query, p.heads, static_cast<std::size_t>(p.kv_lora + p.rope), s.query);
  for (int tile = 0; count > 0; tile ^= 1) {
    const int following = collect(p, next, rows[tile ^ 1]);
    load_rows(d, p, rows[tile], count, s.rows);
    prefetch_rows(rows[tile ^ 1], following, row_bytes);
    compute_logits(d, p, size, count, s);
    soften(d, size, count, s);
    accumulate(d, p, size, count, s);
    count = following;
  }
  finish(d, p, s);
}

}  // namespace ess::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ess::cpu {
namespace {
HWY_EXPORT(attend_simd);
}

void attend(const attend_params& params) {
  if (params.heads < 1 || params.kv_lora % 16 != 0 || params.rope % 16 != 0 ||
      params.kv_lora + params.rope > static_cast<int>(attend_stride))
    throw std::invalid_argument("attend: no code for these sizes");
  HWY_DYNAMIC_DISPATCH(attend_simd)(params);
}

std::size_t attend_scratch_bytes(int heads, int kv_lora, int rope) {
  const auto padded = static_cast<std::size_t>((heads + attend_lanes - 1) / attend_lanes * attend_lanes);
  const std::size_t floats = padded * (kv_lora + rope + attend_tile + 3) + attend_tile * attend_stride;
  return floats * sizeof(float);
}

}  // namespace ess::cpu
#endif
