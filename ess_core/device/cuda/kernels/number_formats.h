// e4m3 and power-of-two scales in kernels, bit for bit those of ess_core/layout, but for the sign of NaNs
// that arithmetic has touched.
#pragma once

#include "ess_core/device/cuda/kernel.h"

namespace ess::ESS_CUDA {

inline constexpr int exponent_bias = 127;

__device__ inline float e4m3_to_float(std::uint8_t code) {
  const std::uint32_t sign = std::uint32_t{code & 0x80u} << 24;
  const std::uint32_t magnitude = code & 0x7fu;
  if (magnitude == 0x7fu) return __uint_as_float(sign | 0x7fc00000u);
  const float shifted = __uint_as_float(sign | magnitude << 20);  // exponent bias 127 instead of 7
  return __fmul_rn(shifted, 0x1p120f);
}

// To nearest, ties to even; beyond +-448, infinities too, +-448; a NaN keeps its sign.
__device__ inline std::uint8_t float_to_e4m3(float value) {
  constexpr std::int32_t largest = 0x43e00000;  // 448
  const std::int32_t bits = __float_as_int(value);
  const std::int32_t magnitude = bits & 0x7fffffff;
  const std::int32_t clamped = min(magnitude, largest);
  // Below the smallest normal the grid is 2^-9 apart, as the floats from 2^14 on are: the addition rounds.
  const std::int32_t small =
      __float_as_int(__fadd_rn(__int_as_float(clamped), 0x1p14f)) - __float_as_int(0x1p14f);
  const std::int32_t normal = ((clamped + 0x7ffff + (clamped >> 20 & 1)) >> 20) - ((exponent_bias - 7) << 3);
  const std::int32_t finite = clamped < 0x3c800000 ? small : normal;  // 2^-6
  const std::int32_t code = magnitude > 0x7f800000 ? 0x7f : finite;
  return static_cast<std::uint8_t>((bits >> 24 & 0x80) | code);
}

// Four values times factor; the first in the lowest byte.
__device__ inline std::uint32_t encode_four(const float (&values)[4], float factor) {
  std::uint32_t codes = 0;
  for (int i = 0; i < 4; ++i) codes |= std::uint32_t{float_to_e4m3(__fmul_rn(values[i], factor))} << (8 * i);
  return codes;
}

// Bits of the larger magnitude; NaNs do not count.
__device__ inline std::int32_t larger_magnitude(std::int32_t bits, float value) {
  const std::int32_t magnitude = __float_as_int(value) & 0x7fffffff;
  return magnitude <= 0x7f800000 ? max(bits, magnitude) : bits;
}

// The smallest 2^e with amax <= 448 * 2^e, not below the floor. In: the bits of amax.
__device__ inline float power_of_two_scale(std::int32_t amax_bits, int smallest_exponent) {
  const int exponent = (amax_bits >> 23) - exponent_bias - 8 + ((amax_bits & 0x7fffff) > 0x600000 ? 1 : 0);
  return __int_as_float((max(exponent, smallest_exponent) + exponent_bias) << 23);
}

// Four e4m3 codes -> bf16, exactly; low: codes 0 and 1. NaN codes become +-480: see has_nan_code.
__device__ inline void e4m3_to_bf16(std::uint32_t codes, std::uint32_t& low, std::uint32_t& high) {
  // A code's exponent and mantissa, shifted into place, make a bf16 of 2^-120 of its value.
  const std::uint32_t a = __byte_perm(codes, 0, 0x1404), b = __byte_perm(codes, 0, 0x3424);  // code << 8
  low = multiply_bf16_pairs((a & 0x80008000u) | (a >> 4 & 0x07f007f0u), e4m3_factor);
  high = multiply_bf16_pairs((b & 0x80008000u) | (b >> 4 & 0x07f007f0u), e4m3_factor);
}

// The upper bits of the bytes that are NaN codes.
__device__ inline std::uint32_t nan_codes(std::uint32_t codes) {
  return ((codes & 0x7f7f7f7fu) + 0x01010101u) & 0x80808080u;
}

}  // namespace ess::ESS_CUDA
