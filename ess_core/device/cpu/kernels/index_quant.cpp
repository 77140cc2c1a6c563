#include "ess_core/device/cpu/kernels/index_quant.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ess_core/device/cpu/kernels/index_quant.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "ess_core/device/cpu/kernels/codes-inl.h"
#include "ess_core/layout/scale.h"

HWY_BEFORE_NAMESPACE();
namespace ess::cpu::HWY_NAMESPACE {

inline constexpr std::size_t dims = 128;
inline constexpr std::size_t half_rope = 32;

template <class DF>
HWY_INLINE void rotate_half_split(DF d, const float* cos, const float* sin, float* values) {
  for (std::size_t i = 0; i < half_rope; i += hn::Lanes(d)) {
    const auto a = hn::Load(d, values + i), b = hn::Load(d, values + half_rope + i);
    const auto c = hn::LoadU(d, cos + i), s = hn::LoadU(d, sin + i);
    // Without FMA, as the layout's rotation.
    hn::Store(hn::Sub(hn::Mul(a, c), hn::Mul(b, s)), d, values + i);
    hn::Store(hn::Add(hn::Mul(a, s), hn::Mul(b, c)), d, values + half_rope + i);
  }
}

template <class DF>
HWY_INLINE void round_all(DF d, float* values) {
  for (std::size_t i = 0; i < dims; i += hn::Lanes(d))
    hn::Store(round_lanes_to_bf16(d, hn::Load(d, values + i)), d, values + i);
}

// One butterfly between values `half` apart, both in one vector: lane i takes lane i ^ half, plus or minus
// itself.
template <class DF>
HWY_INLINE void butterfly_within(DF d, std::size_t half, float* values) {
  const hn::RebindToSigned<DF> di;
  const auto lane = hn::Iota(di, 0);
  const auto bit = hn::Set(di, static_cast<std::int32_t>(half));
  const auto partner = hn::IndicesFromVec(d, hn::Xor(lane, bit));
  const auto upper = hn::Eq(hn::And(lane, bit), bit);
  const auto sign =
      hn::BitCast(d, hn::IfThenElseZero(upper, hn::Set(di, static_cast<std::int32_t>(0x80000000u))));
  for (std::size_t i = 0; i < dims; i += hn::Lanes(d)) {
    const auto value = hn::Load(d, values + i);
    hn::Store(hn::Add(hn::TableLookupLanes(value, partner), hn::Xor(value, sign)), d, values + i);
  }
}

template <class DF>
HWY_INLINE void butterfly_between(DF d, std::size_t half, float* values) {
  for (std::size_t i = 0; i < dims; i += hn::Lanes(d)) {
    if (i & half) continue;
    const auto a = hn::Load(d, values + i), b = hn::Load(d, values + i + half);
    hn::Store(hn::Add(a, b), d, values + i);
    hn::Store(hn::Sub(a, b), d, values + i + half);
  }
}

template <class DF>
HWY_INLINE void hadamard(DF d, float* values) {
  for (std::size_t half = 1; half < dims; half *= 2)
    half < hn::Lanes(d) ? butterfly_within(d, half, values) : butterfly_between(d, half, values);
  const auto norm = hn::Set(d, static_cast<float>(1.0 / std::sqrt(static_cast<double>(dims))));
  for (std::size_t i = 0; i < dims; i += hn::Lanes(d))
    hn::Store(hn::Mul(hn::Load(d, values + i), norm), d, values + i);
}

float quantise_index_simd(const index_quant_params& p) {
  const hn::ScalableTag<float> d;
  alignas(64) float values[dims];
  std::copy_n(p.values, dims, values);
  rotate_half_split(d, p.cos, p.sin, values);
  round_all(d, values);
  hadamard(d, values);
  round_all(d, values);
  const float scale = power_of_two_scale(largest_magnitude_of(d, values, dims), index_smallest_exponent);
  const auto factor = hn::Set(d, 1.0f / scale);
  for (std::size_t i = 0; i < dims; i += hn::Lanes(d))
    store_codes(d, hn::Mul(hn::Load(d, values + i), factor), p.codes + i);
  return scale;
}

}  // namespace ess::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ess::cpu {
namespace {
HWY_EXPORT(quantise_index_simd);
}

float quantise_index(const index_quant_params& params) {
  return HWY_DYNAMIC_DISPATCH(quantise_index_simd)(params);
}

}  // namespace ess::cpu
#endif
