#include "ess_core/device/cpu/kernels/score_keys.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ess_core/device/cpu/kernels/score_keys.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <type_traits>

#include "ess_core/device/cpu/kernels/codes-inl.h"
#include "ess_core/device/cpu/kernels/dot_block-inl.h"
#include "ess_core/layout/index_key.h"

HWY_BEFORE_NAMESPACE();
namespace ess::cpu::HWY_NAMESPACE {

// One cache line more than a key, so that the rows of a block fall into different sets of the cache.
inline constexpr std::size_t key_stride = index_dim + 16;
// Largest count of heads after rounding up to whole vectors.
inline constexpr std::size_t padded_heads = max_index_heads;

struct key_tile {
  alignas(64) float query[padded_heads * index_dim];  // grouped, see group_heads
  alignas(64) float weight[padded_heads];             // by lane: of a folded head's two lanes, one has 0
  alignas(64) float keys[row_tile * key_stride];      // times 1 / code_unit
  alignas(64) float sums[row_tile * HWY_MAX_BYTES / sizeof(float)];  // by key: lanes to be added
};

template <int fold, class DF>
void load_query(DF d, const score_keys_params& p, key_tile& tile) {
  alignas(64) float query[padded_heads * index_dim];
  for (int i = 0; i < p.heads * index_dim; ++i) query[i] = e4m3_to_float(p.query[i]);
  group_heads<fold>(d, query, p.heads, index_dim, tile.query);
  std::fill(std::begin(tile.weight), std::end(tile.weight), 0.0f);
  for (int h = 0; h < p.heads; ++h) tile.weight[h * fold] = p.weight[h];
}

template <class DF>
void load_keys(DF d, const std::uint8_t* pages, std::int64_t first, int count, float* keys) {
  constexpr index_page_format format{index_dim};
  for (int i = 0; i < count; ++i)
    decode(d, pages + format.key_offset(first + i), index_dim, keys + i * key_stride);
}

// Both lanes of a folded head get its whole sum.
template <int fold, class V>
HWY_INLINE V unfold(V dot) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (fold == 2) return hn::Add(dot, hn::Shuffle2301(dot));
#endif
  return dot;
}

// sums[key] += weight * relu(query . key), lanes apart, for one group of heads.
template <int vectors, int fold, class DF>
void add_group(DF d, const float* query, const float* weight, const float* keys, int count, float* sums) {
  const std::size_t lanes = hn::Lanes(d);
  const auto zero = hn::Zero(d);
  for (int first = 0; first < count; first += block_rows(vectors)) {
    float* sum = sums + first * lanes;
    dot_block<vectors, fold, key_stride>(
        d, query, keys + first * key_stride, index_dim, [&](int r, int v, auto part) {
          const auto dot = unfold<fold>(part);
          const auto positive = hn::IfThenZeroElse(hn::Lt(dot, zero), dot);  // keeps a NaN
          const auto before = hn::Load(d, sum + r * lanes);
          hn::Store(hn::MulAdd(hn::Load(d, weight + v * lanes), positive, before), d, sum + r * lanes);
        });
  }
}

#if HWY_TARGET != HWY_SCALAR
// The sum of all blocks of four lanes.
template <class DF>
HWY_INLINE hn::Vec<hn::FixedTag<float, 4>> add_blocks(DF d, hn::Vec<DF> v) {
  if constexpr (hn::MaxLanes(DF()) == 4) {
    return v;
  } else {
    const hn::Half<DF> half;
    return add_blocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}
#endif

// The lanes of four vectors are added up, each vector's alone.
template <class DF>
HWY_INLINE void add_lanes_of_four([[maybe_unused]] DF d, const float* HWY_RESTRICT vectors,
                                  float* HWY_RESTRICT totals) {
#if HWY_TARGET == HWY_SCALAR
  std::copy_n(vectors, 4, totals);
#else
  const hn::RepartitionToWide<DF> pairs;
  const auto add_two =
      [&](std::size_t i) {  // in each block of four lanes: a0 + a2, b0 + b2, a1 + a3, b1 + b3
        const auto a = hn::Load(d, vectors + i * hn::Lanes(d)),
                   b = hn::Load(d, vectors + (i + 1) * hn::Lanes(d));
        return hn::BitCast(pairs, hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b)));
      };
  const auto ab = add_two(0), cd = add_two(2);
  const auto of_blocks = hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, ab, cd)),
                                 hn::BitCast(d, hn::InterleaveUpper(pairs, ab, cd)));
  hn::StoreU(add_blocks(d, of_blocks), hn::FixedTag<float, 4>(), totals);
#endif
}

template <int fold, class DF>
void score_tile(DF d, const score_keys_params& p, std::int64_t first, int count, key_tile& tile) {
  constexpr index_page_format format{index_dim};
  const std::size_t lanes = hn::Lanes(d);
  load_keys(d, p.pages, first, count, tile.keys);
  for (std::size_t i = 0; i < row_tile; ++i) hn::Store(hn::Zero(d), d, tile.sums + i * lanes);
  const int head_vectors = static_cast<int>((p.heads * fold + lanes - 1) / lanes);
  for_each_head_group(head_vectors, [&](auto vectors, int vector) {
    add_group<vectors(), fold>(d, tile.query + vector * lanes / fold * index_dim,
                               tile.weight + vector * lanes, tile.keys, count, tile.sums);
  });
  for (int i = 0; i < count; i += 4) {
    float totals[4];
    add_lanes_of_four(d, tile.sums + i * lanes, totals);
    for (int j = i; j < std::min(i + 4, count); ++j) {
      float scale = 0;
      std::memcpy(&scale, p.pages + format.scale_offset(first + j), sizeof scale);
      p.scores[first + j] = scale * code_unit * totals[j - i];
    }
  }
}

template <int fold>
void score_with(const score_keys_params& p) {
  const hn::ScalableTag<float> d;
  key_tile tile;
  std::fill(std::begin(tile.keys), std::end(tile.keys), 0.0f);
  load_query<fold>(d, p, tile);
  for (std::int64_t first = 0; first < p.keys; first += row_tile)
    score_tile<fold>(d, p, first, static_cast<int>(std::min<std::int64_t>(row_tile, p.keys - first)), tile);
}

void score_keys_simd(const score_keys_params& p) {
  const std::size_t lanes = hn::Lanes(hn::ScalableTag<float>());
  if (lanes > 1 && 2 * static_cast<std::size_t>(p.heads) <= lanes) return score_with<2>(p);
  score_with<1>(p);
}

}  // namespace ess::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ess::cpu {
namespace {
HWY_EXPORT(score_keys_simd);
}

void score_keys(const score_keys_params& params) {
  if (params.heads < 1 || params.heads > max_index_heads)
    throw std::invalid_argument("score_keys: heads out of range");
  HWY_DYNAMIC_DISPATCH(score_keys_simd)(params);
}

}  // namespace ess::cpu
#endif
