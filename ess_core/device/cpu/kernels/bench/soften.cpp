#include "ess_core/device/cpu/kernels/bench/two_products.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ess_core/device/cpu/kernels/bench/soften.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After highway.h, and once for each target as well.
#include <hwy/contrib/math/math-inl.h>

#include <cstddef>

HWY_BEFORE_NAMESPACE();
namespace ess::cpu::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Heads and rows: multiples of the lanes.
void soften_heads(float* logits, attention_sizes s, float scale, float* inverse_sums) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto factor = hn::Set(d, scale);
  for (int h = 0; h < s.heads; ++h) {
    float* row = logits + static_cast<std::size_t>(h) * s.rows;
    auto top = hn::LoadU(d, row);
    for (int r = lanes; r < s.rows; r += lanes) top = hn::Max(top, hn::LoadU(d, row + r));
    const auto largest = hn::Mul(hn::MaxOfLanes(d, top), factor);
    auto sum = hn::Zero(d);
    for (int r = 0; r < s.rows; r += lanes) {
      const auto weight = hn::Exp(d, hn::MulSub(hn::LoadU(d, row + r), factor, largest));
      hn::StoreU(weight, d, row + r);
      sum = hn::Add(sum, weight);
    }
    inverse_sums[h] = 1.0f / hn::GetLane(hn::SumOfLanes(d, sum));
  }
}

void soften_columns(float* logits, attention_sizes s, float scale, float* inverse_sums) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto factor = hn::Set(d, scale);
  const auto stride = static_cast<std::size_t>(s.heads);
  for (int h = 0; h < s.heads; h += lanes) {
    auto top = hn::LoadU(d, logits + h);
    for (int r = 1; r < s.rows; ++r) top = hn::Max(top, hn::LoadU(d, logits + r * stride + h));
    const auto largest = hn::Mul(top, factor);
    auto sum = hn::Zero(d);
    for (int r = 0; r < s.rows; ++r) {
      float* at = logits + r * stride + h;
      const auto weight = hn::Exp(d, hn::MulSub(hn::LoadU(d, at), factor, largest));
      hn::StoreU(weight, d, at);
      sum = hn::Add(sum, weight);
    }
    hn::StoreU(hn::Div(hn::Set(d, 1.0f), sum), d, inverse_sums + h);
  }
}

void soften_simd(float* logits, attention_sizes s, logit_order order, float scale, float* inverse_sums) {
  if (order == logit_order::heads_by_rows) return soften_heads(logits, s, scale, inverse_sums);
  soften_columns(logits, s, scale, inverse_sums);
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
HWY_EXPORT(soften_simd);
HWY_EXPORT(scale_rows_simd);
}  // namespace

void soften(float* logits, attention_sizes sizes, logit_order order, float scale, float* inverse_sums) {
  HWY_DYNAMIC_DISPATCH(soften_simd)(logits, sizes, order, scale, inverse_sums);
}
void scale_rows(float* values, int count, int columns, const float* factors) {
  HWY_DYNAMIC_DISPATCH(scale_rows_simd)(values, count, columns, factors);
}

}  // namespace ess::cpu::bench
#endif
