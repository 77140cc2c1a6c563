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

// Asks for the rows of the next tile, some lines at a time between blocks of products: more at once would
// wait for each other, and the products with them.
class row_prefetch {
 public:
  row_prefetch(const std::uint8_t* const* rows, int count, std::size_t row_bytes, int calls)
      : row_(rows), end_(rows + count), row_bytes_(row_bytes) {
    const int lines = count * static_cast<int>((row_bytes + line - 1) / line);
    lines_a_call_ = (lines + calls - 1) / calls;
  }

  void some() {
    for (int i = 0; i < lines_a_call_ && row_ != end_; ++i) {
      constexpr int to_second_level = 2;
      __builtin_prefetch(*row_ + offset_, 0, to_second_level);
      offset_ += line;
      if (offset_ < row_bytes_) continue;
      offset_ = 0;
      ++row_;
    }
  }

 private:
  static constexpr std::size_t line = 64;
  const std::uint8_t* const* row_;
  const std::uint8_t* const* end_;
  std::size_t row_bytes_;
  std::size_t offset_ = 0;
  int lines_a_call_ = 0;
};

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
      dot_block<width, 1, attend_stride>(
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

// Heads and vectors of columns whose sums one block keeps in registers.
inline constexpr int block_heads = 4;
inline constexpr int block_columns = many_registers ? 4 : 3;

// What accumulate knows of a tile.
struct attend_tile_sums {
  const attend_scratch& scratch;
  int padded_heads;
  int count;   // of rows
  bool first;  // nothing is summed yet, and `out` is not read
};

// out[heads][columns] = out * fade + sum over rows of weight * latent.
template <int heads, int columns, class DF>
HWY_INLINE void accumulate_block(DF d, const attend_tile_sums& t, int head, std::size_t column,
                                 float* HWY_RESTRICT out, std::size_t out_stride) {
  const std::size_t lanes = hn::Lanes(d);
  hn::Vec<DF> sum[heads][columns];
#pragma GCC unroll 4
  for (int h = 0; h < heads; ++h) {
    const auto fade = hn::Set(d, t.scratch.fade[head + h]);
#pragma GCC unroll 4
    for (int c = 0; c < columns; ++c)
      sum[h][c] = t.first ? hn::Zero(d) : hn::Mul(hn::LoadU(d, out + h * out_stride + c * lanes), fade);
  }
  const float* HWY_RESTRICT row = t.scratch.rows + column;
  const float* HWY_RESTRICT weight = t.scratch.weight + head;
  for (int r = 0; r < t.count; ++r, row += attend_stride, weight += t.padded_heads) {
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

// All heads for a strip of columns, which stays in the first-level cache.
template <int columns, class DF>
HWY_INLINE void accumulate_strip(DF d, const attend_params& p, const attend_tile_sums& t, std::size_t column,
                                 row_prefetch& following) {
  const auto width = static_cast<std::size_t>(p.kv_lora);
  float* out = p.out + column;
  int head = 0;
  for (; head + block_heads <= p.heads; head += block_heads, out += block_heads * width) {
    accumulate_block<block_heads, columns>(d, t, head, column, out, width);
    following.some();
  }
  for (; head < p.heads; ++head, out += width) accumulate_block<1, columns>(d, t, head, column, out, width);
}

template <class DF>
void accumulate(DF d, const attend_params& p, const attend_tile_sums& t, row_prefetch& following) {
  const std::size_t lanes = hn::Lanes(d);
  const auto width = static_cast<std::size_t>(p.kv_lora);
  std::size_t column = 0;
  for (; column + block_columns * lanes <= width; column += block_columns * lanes)
    accumulate_strip<block_columns>(d, p, t, column, following);
  for (; column < width; column += lanes) accumulate_strip<1>(d, p, t, column, following);
}

// Blocks of block_heads by block_columns.
template <class DF>
int accumulate_blocks(DF d, const attend_params& p) {
  return std::max(1, p.heads / block_heads) *
         std::max(1, p.kv_lora / (block_columns * static_cast<int>(hn::Lanes(d))));
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

inline void attend_nothing(const attend_params& p) {
  std::fill_n(p.out, static_cast<std::size_t>(p.heads) * p.kv_lora, 0.0f);
  std::fill_n(p.lse, p.heads, std::numeric_limits<float>::infinity());
}

void attend_simd(const attend_params& p) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const int vectors = (p.heads + lanes - 1) / lanes;
  const attend_sizes size{vectors * lanes, vectors};
  const attend_scratch s = carve(static_cast<float*>(p.scratch), p, size.heads);
  const auto row_bytes = static_cast<std::size_t>(latent_row_format{p.kv_lora, p.rope}.bytes());
  std::fill_n(s.top, size.heads, -std::numeric_limits<float>::infinity());
  std::fill_n(s.sum, size.heads, 0.0f);

  const std::uint8_t* rows[2][row_tile];
  std::int64_t next = 0;
  int count = collect(p, next, rows[0]);
  if (count == 0) return attend_nothing(p);
  row_prefetch(rows[0], count, row_bytes, 1).some();
  group_heads<1>(d, p.query, p.heads, static_cast<std::size_t>(p.kv_lora + p.rope), s.query);
  for (int tile = 0; count > 0; ++tile) {
    const int following = collect(p, next, rows[(tile + 1) % 2]);
    row_prefetch prefetch(rows[(tile + 1) % 2], following, row_bytes, accumulate_blocks(d, p));
    load_rows(d, p, rows[tile % 2], count, s.rows);
    compute_logits(d, p, size, count, s);
    soften(d, size, count, s);
    accumulate(d, p, {.scratch = s, .padded_heads = size.heads, .count = count, .first = tile == 0},
               prefetch);
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
