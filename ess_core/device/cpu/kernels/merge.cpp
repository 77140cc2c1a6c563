#include "ess_core/device/cpu/kernels/merge.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ess_core/device/cpu/kernels/merge.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace ess::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

struct part_weights {
  float first;
  float second;
  float lse;
};

inline part_weights weigh(float a, float b) {
  constexpr float empty = std::numeric_limits<float>::infinity();
  if (a == empty && b == empty) return {0, 0, empty};
  if (a == empty) return {0, 1, b};
  if (b == empty) return {1, 0, a};
  const float top = std::max(a, b);
  const float lse = top + std::log(std::exp(a - top) + std::exp(b - top));
  return {std::exp(a - lse), std::exp(b - lse), lse};
}

// A part of weight 0 is not read: an empty one may hold anything.
template <class DF>
void blend(DF d, const float* a, const float* b, part_weights w, int n, float* out) {
  const auto wa = hn::Set(d, w.first);
  const auto wb = hn::Set(d, w.second);
  const int lanes = static_cast<int>(hn::Lanes(d));
  int i = 0;
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(hn::MulAdd(hn::LoadU(d, a + i), wa, hn::Mul(hn::LoadU(d, b + i), wb)), d, out + i);
  if (hn::Lanes(d) > 1 && i < n) blend(hn::CappedTag<float, 1>(), a + i, b + i, w, n - i, out + i);
}

void merge_simd(const merge_params& p) {
  for (int h = 0; h < p.heads; ++h) {
    const auto offset = static_cast<std::size_t>(h) * p.kv_lora;
    const part_weights w = weigh(p.lse[0][h], p.lse[1][h]);
    float* merged = p.merged + offset;
    p.merged_lse[h] = w.lse;
    if (w.first == 0 && w.second == 0) {
      std::fill_n(merged, p.kv_lora, 0.0f);
    } else if (w.first == 0 || w.second == 0) {
      const float* only = p.out[w.first == 0 ? 1 : 0] + offset;
      if (only != merged) std::copy_n(only, p.kv_lora, merged);
    } else {
      blend(hn::ScalableTag<float>(), p.out[0] + offset, p.out[1] + offset, w, p.kv_lora, merged);
    }
  }
}

}  // namespace ess::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ess::cpu {
namespace {
HWY_EXPORT(merge_simd);
}

void merge(const merge_params& params) { HWY_DYNAMIC_DISPATCH(merge_simd)(params); }

}  // namespace ess::cpu
#endif
