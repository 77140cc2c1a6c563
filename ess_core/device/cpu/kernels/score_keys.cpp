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
  alignas(64) float weight[padded_heads];
  alignas(64) float keys[row_tile * key_stride];                     // times 1 / code_unit
  alignas(64) float sums[row_tile * HWY_MAX_BYTES / sizeof(float)];  // by key: lanes to be added
};

template <class DF>
void load_query(DF d, const score_keys_params& p, key_tile& tile) {
  float query[padded_heads * index_dim];
  for (int i = 0; i < p.heads * index_dim; ++i) query[i] = e4m3_to_float(p.query[i]);
  group_heads(d, query, p.heads, index_dim, tile.query);
  std::fill(std::copy_n(p.weight, p.heads, tile.weight), tile.weight + padded_heads, 0.0f);
}

inline void load_keys(const std::uint8_t* pages, std::int64_t first, int count, float* keys) {
  constexpr index_page_format format{index_dim};
  const hn::ScalableTag<float> d;
  for (int i = 0; i < count; ++i)
    decode(d, pages + format.key_offset(first + i), index_dim, keys + i * key_stride);
}

// sums[key] += weight * relu(query . key), lanes apart, for one group of heads.
template <int vectors, class DF>
void add_group(DF d, const float* query, const float* weight, const float* keys, int count, float* sums) {
  const std::size_t lanes = hn::Lanes(d);
  const auto zero = hn::Zero(d);
  for (int first = 0; first < count; first += block_rows(vectors)) {
    float* sum = sums + first * lanes;
    dot_block<vectors, key_stride>(
        d, query, keys + first * key_stride, index_dim, [&](int r, int v, auto dot) {
          const auto positive = hn::IfThenZeroElse(hn::Lt(dot, zero), dot);  // keeps a NaN
          const auto before = hn::Load(d, sum + r * lanes);
          hn::Store(hn::MulAdd(hn::Load(d, weight + v * lanes), positive, before), d, sum + r * lanes);
        });
  }
}

template <class DF>
void score_tile(DF d, const score_keys_params& p, std::int64_t first, int count, key_tile& tile) {
  constexpr index_page_format format{index_dim};
  const std::size_t lanes = hn::Lanes(d);
  load_keys(p.pages, first, count, tile.keys);
  for (std::size_t i = 0; i < row_tile; ++i) hn::Store(hn::Zero(d), d, tile.sums + i * lanes);
  const int head_vectors = static_cast<int>((p.heads + lanes - 1) / lanes);
  for_each_head_group(head_vectors, [&](auto vectors, int vector) {
    add_group<vectors()>(d, tile.query + vector * lanes * index_dim, tile.weight + vector * lanes, tile.keys,
                         count, tile.sums);
  });
  for (int i = 0; i < count; ++i) {
    float scale = 0;
    std::memcpy(&scale, p.pages + format.scale_offset(first + i), sizeof scale);
    p.scores[first + i] =
        scale * code_unit * hn::GetLane(hn::SumOfLanes(d, hn::Load(d, tile.sums + i * lanes)));
  }
}

template <class DF>
void score_with(DF d, const score_keys_params& p) {
  key_tile tile;
  std::fill(std::begin(tile.keys), std::end(tile.keys), 0.0f);
  load_query(d, p, tile);
  for (std::int64_t first = 0; first < p.keys; first += row_tile)
    score_tile(d, p, first, static_cast<int>(std::min<std::int64_t>(row_tile, p.keys - first)), tile);
}

// Few heads fill half a register of 16 only; two halves a cycle are as fast.
void score_keys_simd(const score_keys_params& p) {
  if (p.heads <= 8) return score_with(hn::CappedTag<float, 8>(), p);
  score_with(hn::ScalableTag<float>(), p);
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
