// The inner product of a few rows with many heads: lanes are heads, each row's value is broadcast. One
// accumulator for each (row, head), dimensions in ascending order, so a result depends on nothing else in the
// block. Where heads fill half a vector only, they are folded: a lane for the even dimensions of a head and
// one for the odd ones. Included once for each SIMD target, hence the guard that toggles.
#if defined(ESS_CPU_KERNELS_DOT_BLOCK_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ESS_CPU_KERNELS_DOT_BLOCK_INL
#undef ESS_CPU_KERNELS_DOT_BLOCK_INL
#else
#define ESS_CPU_KERNELS_DOT_BLOCK_INL
#endif

#include <hwy/highway.h>
// After highway.h.
#include <hwy/cache_control.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace ess::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Registers for accumulators: 32 with AVX-512 and NEON, 16 else.
inline constexpr bool many_registers = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON;

// Vectors of heads that are multiplied at once, and rows of one block by that number: as many accumulators as
// registers hold. More vectors need fewer loads for a product, more rows less of the heads, which come from
// the second-level cache. All rows divide row_tile.
inline constexpr int row_tile = 48;
inline constexpr int most_vectors = many_registers ? 4 : 2;
constexpr int block_rows(int head_vectors) {
  constexpr int many[] = {16, 12, 8, 6};
  constexpr int few[] = {12, 6};
  return many_registers ? many[head_vectors - 1] : few[head_vectors - 1];
}

// Dimensions that the heads are asked for ahead of their use: they come from the second-level cache.
inline constexpr std::size_t heads_ahead = 6;

// `fold` values that lie side by side, in turn over the lanes.
template <int fold, class DF>
HWY_INLINE hn::Vec<DF> broadcast(DF d, const float* HWY_RESTRICT values) {
  static_assert(fold == 1 || fold == 2);
  if constexpr (fold == 1) {
    return hn::Set(d, *values);
  } else {
    double both = 0;
    std::memcpy(&both, values, sizeof both);
    return hn::BitCast(d, hn::Set(hn::RepartitionToWide<DF>(), both));
  }
}

// Calls `use(row, vector, sum)` for every sum of `heads` [dims / fold][vectors * lanes], as group_heads makes
// them, and `rows` [block][stride].
template <int vectors, int fold, std::size_t stride, class DF, class Use>
HWY_INLINE void dot_block(DF d, const float* HWY_RESTRICT heads, const float* HWY_RESTRICT rows,
                          std::size_t dims, const Use& use) {
  constexpr int block = block_rows(vectors);
  const std::size_t lanes = hn::Lanes(d);
  hn::Vec<DF> sum[block][vectors];
#pragma GCC unroll 16
  for (int r = 0; r < block; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) sum[r][v] = hn::Zero(d);
  for (std::size_t i = 0; i < dims; i += fold) {
    hn::Vec<DF> head[vectors];
    for (int v = 0; v < vectors; ++v) hwy::Prefetch(heads + ((i / fold + heads_ahead) * vectors + v) * lanes);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) head[v] = hn::Load(d, heads + (i / fold * vectors + v) * lanes);
#pragma GCC unroll 16
    for (int r = 0; r < block; ++r) {
      const auto value = broadcast<fold>(d, rows + r * stride + i);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) sum[r][v] = hn::MulAdd(head[v], value, sum[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < block; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) use(r, v, sum[r][v]);
}

// Heads lie in groups of up to most_vectors; calls `use(std::integral_constant vectors, first vector)` for
// each.
template <int vectors = most_vectors, class Use>
HWY_INLINE void for_each_head_group(int head_vectors, const Use& use, int first = 0) {
  for (; first + vectors <= head_vectors; first += vectors)
    use(std::integral_constant<int, vectors>(), first);
  if constexpr (vectors > 1) for_each_head_group<vectors - 1>(head_vectors, use, first);
}

// Four heads by four steps of `fold` dimensions: in registers, if the compiler does as it is known to.
template <int fold>
inline void transpose_4x4(const float* HWY_RESTRICT from, std::size_t from_stride, float* HWY_RESTRICT to,
                          std::size_t to_stride) {
  float block[4][4][fold];
  for (std::size_t h = 0; h < 4; ++h)
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t f = 0; f < fold; ++f) block[i][h][f] = from[h * from_stride + i * fold + f];
  for (std::size_t i = 0; i < 4; ++i) std::memcpy(to + i * to_stride, block[i], sizeof block[i]);
}

// query [heads][dims] -> grouped [group][dims / fold][vectors of the group][lanes / fold][fold], zero beyond
// `heads`. dims: a multiple of 4 * fold.
template <int fold, class DF>
HWY_INLINE void group_heads(DF d, const float* HWY_RESTRICT query, int heads, std::size_t dims,
                            float* HWY_RESTRICT grouped) {
  const int in_vector = static_cast<int>(hn::Lanes(d)) / fold;
  for_each_head_group((heads + in_vector - 1) / in_vector, [&](auto vectors, int first) {
    const int width = vectors * in_vector;
    const int used = std::min(width, heads - first * in_vector);
    const std::size_t stride = static_cast<std::size_t>(width) * fold;
    const float* from = query + static_cast<std::size_t>(first) * in_vector * dims;
    float* group = grouped + static_cast<std::size_t>(first) * in_vector * dims;
    if (used < width) std::fill_n(group, width * dims, 0.0f);
    for (std::size_t i = 0; i < dims; i += 4 * fold, group += 4 * stride) {
      int h = 0;
      for (; h + 4 <= used; h += 4) transpose_4x4<fold>(from + h * dims + i, dims, group + h * fold, stride);
      for (; h < used; ++h)
        for (std::size_t j = 0; j < 4; ++j)
          std::copy_n(from + h * dims + i + j * fold, fold, group + j * stride + h * fold);
    }
  });
}

}  // namespace ess::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
