// Vector forms of the layout's codecs: e4m3 and bf16, bit for bit the same as the scalar ones. Included once
// for each SIMD target, hence the guard that toggles.
#if defined(ESS_CPU_KERNELS_CODES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ESS_CPU_KERNELS_CODES_INL
#undef ESS_CPU_KERNELS_CODES_INL
#else
#define ESS_CPU_KERNELS_CODES_INL
#endif

#include <hwy/highway.h>

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "ess_core/base/e4m3.h"

HWY_BEFORE_NAMESPACE();
namespace ess::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// True if one of `n` codes is a NaN, which decode_codes does not know.
HWY_INLINE bool has_nan_code(const std::uint8_t* HWY_RESTRICT codes, std::size_t n) {
  const hn::ScalableTag<std::uint8_t> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto sign = hn::Set(d, 0x80);
  auto largest = hn::Zero(d);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) largest = hn::Max(largest, hn::Or(hn::LoadU(d, codes + i), sign));
  bool found = !hn::AllFalse(d, hn::Eq(largest, hn::Set(d, 0xff)));
  for (; i < n; ++i) found = found || (codes[i] | 0x80) == 0xff;
  return found;
}

// The values of codes, none of them a NaN, times 2^-8: shifted into place, exponent and mantissa make an f16
// of that, subnormals too. (An f32 made likewise would be subnormal where the code is, and those are slow.)
inline constexpr float code_unit = 0x1p8f;
template <class D16>
HWY_INLINE hn::Vec<D16> half_bits(D16 d16, const std::uint8_t* HWY_RESTRICT codes) {
  const hn::Rebind<std::int8_t, D16> d8;
  const auto wide = hn::PromoteTo(d16, hn::LoadU(d8, reinterpret_cast<const std::int8_t*>(codes)));
  return hn::And(hn::ShiftLeft<7>(wide), hn::Set(d16, static_cast<std::int16_t>(0xbf80u)));
}

// Calls use(i, values of the codes from i on) for n codes, a multiple of Lanes(d).
template <class DF, class Use>
HWY_INLINE void for_each_decoded(DF d, const std::uint8_t* HWY_RESTRICT codes, std::size_t n,
                                 const Use& use) {
  const hn::Rebind<std::int16_t, DF> half;
  const hn::Rebind<hwy::float16_t, DF> df16;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::Repartition<std::int16_t, DF> full;  // one vector of 16-bit lanes makes two of values
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const auto bits = half_bits(full, codes + i);
    use(i, hn::PromoteTo(d, hn::BitCast(df16, hn::LowerHalf(half, bits))));
    use(i + lanes, hn::PromoteTo(d, hn::BitCast(df16, hn::UpperHalf(half, bits))));
  }
#endif
  for (; i < n; i += lanes) use(i, hn::PromoteTo(d, hn::BitCast(df16, half_bits(half, codes + i))));
}

// n values, a multiple of Lanes(d): code * 2^-8.
template <class DF>
HWY_INLINE void decode(DF d, const std::uint8_t* HWY_RESTRICT codes, std::size_t n,
                       float* HWY_RESTRICT values) {
  if (HWY_UNLIKELY(has_nan_code(codes, n))) {
    for (std::size_t i = 0; i < n; ++i) values[i] = e4m3_to_float(codes[i]) / code_unit;
    return;
  }
  for_each_decoded(d, codes, n, [&](std::size_t i, auto value) { hn::StoreU(value, d, values + i); });
}

// n values, a multiple of Lanes(d): code * scale, for any scale.
template <class DF>
HWY_INLINE void dequantise(DF d, const std::uint8_t* HWY_RESTRICT codes, float scale, std::size_t n,
                           float* HWY_RESTRICT values) {
  const bool exact = std::fabs(scale) < 0x1p100f;  // scale * code_unit is finite; false for a NaN
  if (HWY_UNLIKELY(!exact || has_nan_code(codes, n))) {
    for (std::size_t i = 0; i < n; ++i) values[i] = e4m3_to_float(codes[i]) * scale;
    return;
  }
  const auto factor = hn::Set(d, scale * code_unit);
  for_each_decoded(d, codes, n,
                   [&](std::size_t i, auto value) { hn::StoreU(hn::Mul(value, factor), d, values + i); });
}

// Code of value, in the low byte of each lane; see float_to_e4m3 for the rules.
template <class DF>
HWY_INLINE hn::Vec<hn::RebindToSigned<DF>> encode_codes(DF d, hn::Vec<DF> value) {
  const hn::RebindToSigned<DF> di;
  const auto bits = hn::BitCast(di, value);
  const auto magnitude = hn::And(bits, hn::Set(di, 0x7fffffff));
  const auto grid = hn::Set(d, 0x1p14f);
  const auto small =
      hn::Sub(hn::BitCast(di, hn::Add(hn::BitCast(d, magnitude), grid)), hn::BitCast(di, grid));
  const auto odd = hn::And(hn::ShiftRight<20>(magnitude), hn::Set(di, 1));
  const auto rounded = hn::Add(hn::Add(magnitude, hn::Set(di, 0x7ffff)), odd);
  const auto normal = hn::Sub(hn::ShiftRight<20>(rounded), hn::Set(di, (127 - 7) << 3));
  auto code = hn::IfThenElse(hn::Lt(magnitude, hn::Set(di, 0x3c800000)), small, normal);
  code = hn::IfThenElse(hn::Gt(magnitude, hn::Set(di, 0x43e00000 - 1)), hn::Set(di, 0x7e), code);
  code = hn::IfThenElse(hn::Gt(magnitude, hn::Set(di, 0x7f800000)), hn::Set(di, 0x7f), code);
  return hn::Or(code, hn::And(hn::ShiftRight<24>(bits), hn::Set(di, 0x80)));
}

template <class DF>
HWY_INLINE void store_codes(DF d, hn::Vec<DF> value, std::uint8_t* HWY_RESTRICT codes) {
  const hn::Rebind<std::uint8_t, DF> d8;
  hn::StoreU(hn::DemoteTo(d8, encode_codes(d, value)), d8, codes);
}

// The upper halves of the lanes hold the bf16, the lower ones are zero.
template <class DF>
HWY_INLINE hn::Vec<DF> round_lanes_to_bf16(DF d, hn::Vec<DF> value) {
  const hn::RebindToUnsigned<DF> du;
  const auto bits = hn::BitCast(du, value);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1u));
  const auto rounded = hn::Add(hn::Add(bits, hn::Set(du, 0x7fffu)), odd);
  const auto quiet = hn::Or(bits, hn::Set(du, 0x400000u));
  const auto is_nan = hn::RebindMask(du, hn::IsNaN(value));
  return hn::BitCast(d, hn::And(hn::IfThenElse(is_nan, quiet, rounded), hn::Set(du, 0xffff0000u)));
}

template <class DF>
HWY_INLINE hn::Vec<DF> load_bf16(DF d, const std::uint8_t* HWY_RESTRICT bytes) {
  const hn::RebindToUnsigned<DF> du;
  const hn::Rebind<std::uint16_t, DF> d16;
  const auto half = hn::LoadU(d16, reinterpret_cast<const std::uint16_t*>(bytes));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, half)));
}

template <class DF>
HWY_INLINE void store_bf16(DF d, hn::Vec<DF> value, std::uint8_t* HWY_RESTRICT bytes) {
  const hn::RebindToSigned<DF> di;
  const hn::Rebind<std::uint16_t, DF> d16;
  const auto upper = hn::BitCast(hn::RebindToUnsigned<DF>(), round_lanes_to_bf16(d, value));
  const auto half = hn::DemoteTo(d16, hn::BitCast(di, hn::ShiftRight<16>(upper)));
  hn::StoreU(half, d16, reinterpret_cast<std::uint16_t*>(bytes));
}

// As largest_magnitude: NaNs do not count. n: a multiple of Lanes(d).
template <class DF>
HWY_INLINE float largest_magnitude_of(DF d, const float* HWY_RESTRICT values, std::size_t n) {
  auto largest = hn::Zero(d);
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    const auto magnitude = hn::Abs(hn::LoadU(d, values + i));
    largest = hn::IfThenElse(hn::Gt(magnitude, largest), magnitude, largest);
  }
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

}  // namespace ess::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
