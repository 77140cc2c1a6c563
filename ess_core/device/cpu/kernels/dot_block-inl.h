// The inner product of a few rows with many heads: lanes are heads, each row's value is broadcast. One
// accumulator for each (row, head), dimensions in ascending order, so a result depends on nothing else in the
// block. Included once for each SIMD target, hence the guard that toggles.
#if defined(ESS_CPU_KERNELS_DOT_BLOCK_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ESS_CPU_KERNELS_DOT_BLOCK_INL
#undef ESS_CPU_KERNELS_DOT_BLOCK_INL
#else
#define ESS_CPU_KERNELS_DOT_BLOCK_INL
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace ess::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Registers for accumulators: 32 with AVX-512 and NEON, 16 else.
inline constexpr bool many_registers = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON;

// Rows of one block, by vectors of heads. All divide row_tile.
inline constexpr int row_tile = 48;
constexpr int block_rows(int head_vectors) {
  constexpr int many[] = {16, 12, 8, 6};
  constexpr int few[] = {12, 6, 4, 2};
  return many_registers ? many[head_vectors - 1] : few[head_vectors - 1];
}

// Calls `use(row, vector, sum)` for every sum of `heads` [dims][vectors * lanes] and `rows` [block][stride].
template <int vectors, std::size_t stride, class DF, class Use>
HWY_INLINE void dot_block(DF d, const float* HWY_RESTRICT heads, const float* HWY_RESTRICT rows,
                          std::size_t dims, const Use& use) {
  constexpr int block = block_rows(vectors);
  const std::size_t lanes = hn::Lanes(d);
  hn::Vec<DF> sum[block][vectors];
#pragma GCC unroll 16
  for (int r = 0; r < block; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) sum[r][v] = hn::Zero(d);
  for (std::size_t i = 0; i < dims; ++i) {
    hn::Vec<DF> head[vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) head[v] = hn::Load(d, heads + (i * vectors + v) * lanes);
#pragma GCC unroll 16
    for (int r = 0; r < block; ++r) {
      const auto value = hn::Set(d, rows[r * stride + i]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) sum[r][v] = hn::MulAdd(head[v], value, sum[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < block; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) use(r, v, sum[r][v]);
}

// Heads lie in groups of up to four vectors; calls `use(std::integral_constant vectors, first vector)` for
// each.
template <class Use>
HWY_INLINE void for_each_head_group(int head_vectors, const Use& use) {
  int first = 0;
  for (; first + 4 <= head_vectors; first += 4) use(std::integral_constant<int, 4>(), first);
  switch (head_vectors - first) {
    case 3:
      return use(std::integral_constant<int, 3>(), first);
    case 2:
      return use(std::integral_constant<int, 2>(), first);
    case 1:
      return use(std::integral_constant<int, 1>(), first);
    default:
      return;
  }
}

// query [heads][dims] -> grouped [group][dims][vectors of the group * lanes], zero beyond `heads`.
template <class DF>
HWY_INLINE void group_heads(DF d, const float* HWY_RESTRICT query, int heads, std::size_t dims,
                            float* HWY_RESTRICT grouped) {
  const int lanes = static_cast<int>(hn::Lanes(d));
  for_each_head_group((heads + lanes - 1) / lanes, [&](auto vectors, int first) {
    const int width = vectors * lanes;
    float* group = grouped + static_cast<std::size_t>(first) * lanes * dims;
    for (int h = 0; h < width; ++h) {
      const int head = first * lanes + h;
      for (std::size_t i = 0; i < dims; ++i)
        group[i * width + h] = head < heads ? query[head * dims + i] : 0.0f;
    }
  });
}

}  // namespace ess::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
