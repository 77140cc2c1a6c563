#include "ess_core/device/cpu/kernels/bench/two_products.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ess_core/device/cpu/kernels/bench/soften_rows.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After highway.h, and once for each target as well.
#include <hwy/contrib/math/math-inl.h>

#include <cstddef>

HWY_BEFORE_NAMESPACE();
namespace ess::cpu::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// columns: a multiple of the lanes.
void soften_rows_simd(float* values, int count, int columns, float scale, float* inverse_sums) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto factor = hn::Set(d, scale);
  for (int r = 0; r < count; ++r) {
    float* row = values + static_cast<std::size_t>(r) * columns;
    auto top = hn::LoadU(d, row);
    for (int c = lanes; c < columns; c += lanes) top = hn::Max(top, hn::LoadU(d, row + c));
    const auto largest = hn::Mul(hn::MaxOfLanes(d, top), factor);
    auto sum = hn::Zero(d);
    for (int c = 0; c < columns; c += lanes) {
      const auto weight = hn::Exp(d, hn::MulSub(hn::LoadU(d, row + c), factor, largest));
      hn::StoreU(weight, d, row + c);
      sum = hn::Add(sum, weight);
    }
    inverse_sums[r] = 1.0f / hn::GetLane(hn::SumOfLanes(d, sum));
  }
}

void scale_rows_simd(float* values, int count, int columns, const float* factors) {
  const hn::ScalableTag<float> d;
  for (int r = 0; r < count; ++r) {
    float* row = values + static_cast<std::size_t>(r) * columns;
    const auto factor = hn::Set(d, factors[r]);
    for (int c = 0; c < columns; c += static_cast<int>(hn::Lanes(d)))
      hn::StoreU(hn::Mul(hn::LoadU(d, row + c), factor), d, row + c);
  }
}

}  // namespace ess::cpu::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ess::cpu::bench {
namespace {
HWY_EXPORT(soften_rows_simd);
HWY_EXPORT(scale_rows_simd);
}  // namespace

void soften_rows(float* values, int count, int columns, float scale, float* inverse_sums) {
  HWY_DYNAMIC_DISPATCH(soften_rows_simd)(values, count, columns, scale, inverse_sums);
}
void scale_rows(float* values, int count, int columns, const float* factors) {
  HWY_DYNAMIC_DISPATCH(scale_rows_simd)(values, count, columns, factors);
}

}  // namespace ess::cpu::bench
#endif
