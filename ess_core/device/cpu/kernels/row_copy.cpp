#include "ess_core/device/cpu/kernels/row_copy.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ess_core/device/cpu/kernels/row_copy.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After highway.h, and once for each target as well.
#include <hwy/cache_control.h>

#include <algorithm>
#include <cstring>

#ifndef ESS_CPU_KERNELS_ROW_COPY_LIMITS
#define ESS_CPU_KERNELS_ROW_COPY_LIMITS
namespace ess::cpu {
inline constexpr std::int64_t cache_line = 64;
// Where memory is slow to answer (docs/kernels.md) it pays to ask for a row's translation well before its
// bytes, and for the bytes well before their use: into the second-level cache, where they are in nobody's
// way.
inline constexpr std::int64_t pages_ahead = 64;
inline constexpr std::int64_t rows_ahead = 32;
}  // namespace ess::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace ess::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using bytes_tag = hn::ScalableTag<std::uint8_t>;

inline void prefetch(const std::uint8_t* row, std::int64_t bytes) {
  constexpr int to_second_level = 2;
  for (std::int64_t i = 0; i < bytes; i += cache_line) __builtin_prefetch(row + i, 0, to_second_level);
}

struct cached_copy {
  HWY_INLINE void operator()(const std::uint8_t* HWY_RESTRICT from, std::uint8_t* HWY_RESTRICT to,
                             std::int64_t n) const {
    const bytes_tag d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    std::int64_t i = 0;
    for (; i + lanes <= n; i += lanes) hn::StoreU(hn::LoadU(d, from + i), d, to + i);
    std::memcpy(to + i, from + i, static_cast<std::size_t>(n - i));
  }
};

// Lines that a row fills only in part are stored as usual: to memory they would go in pieces.
struct streaming_copy {
  HWY_INLINE void operator()(const std::uint8_t* HWY_RESTRICT from, std::uint8_t* HWY_RESTRICT to,
                             std::int64_t n) const {
    const bytes_tag d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const std::int64_t to_line =
        -static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(to)) & (cache_line - 1);
    std::int64_t i = std::min(n, to_line);
    std::memcpy(to, from, static_cast<std::size_t>(i));
    for (; i + cache_line <= n; i += cache_line)
      for (std::int64_t j = i; j < i + cache_line; j += lanes) hn::Stream(hn::LoadU(d, from + j), d, to + j);
    std::memcpy(to + i, from + i, static_cast<std::size_t>(n - i));
  }
};

template <class Copy>
void copy_rows_with(const row_copy_params& p, const Copy& copy) {
  const auto source = [&](std::int64_t i) { return p.from + p.from_rows[i] * p.from_pitch; };
  const auto ask_for_page = [&](std::int64_t i) {
    if (i < p.n) prefetch(source(i), 1);
  };
  const auto ask_for_row = [&](std::int64_t i) {
    if (i < p.n) prefetch(source(i), p.row_bytes);
  };
  for (std::int64_t i = 0; i < pages_ahead; ++i) ask_for_page(i);
  for (std::int64_t i = 0; i < rows_ahead; ++i) ask_for_row(i);
  for (std::int64_t i = 0; i < p.n; ++i) {
    ask_for_page(i + pages_ahead);
    ask_for_row(i + rows_ahead);
    copy(source(i), p.to + p.to_rows[i] * p.to_pitch, p.row_bytes);
  }
}

void copy_rows_simd(const row_copy_params& p) {
  if (p.stores == row_stores::cached) return copy_rows_with(p, cached_copy());
  copy_rows_with(p, streaming_copy());
  hwy::FlushStream();
}

}  // namespace ess::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ess::cpu {
namespace {
HWY_EXPORT(copy_rows_simd);
}

std::int64_t copy_rows(const row_copy_params& params) {
  HWY_DYNAMIC_DISPATCH(copy_rows_simd)(params);
  return params.n * params.row_bytes;
}

}  // namespace ess::cpu
#endif
