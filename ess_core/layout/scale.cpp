#include "ess_core/layout/scale.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "ess_core/base/e4m3.h"

namespace ess {
namespace {

constexpr int exponent_bias = 127;
constexpr std::uint32_t mantissa_mask = 0x7fffffu;
constexpr std::uint32_t mantissa_of_448 = 0x600000u;  // 448 = 1.75 * 2^8
constexpr int exponent_of_448 = 8;

// 2^exponent for normal numbers.
float power_of_two(int exponent) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(exponent + exponent_bias) << 23);
}

// Of a normal number; subnormals and zero come out too small, which the floors make up for.
int exponent_that_holds(float amax) {
  const auto bits = std::bit_cast<std::uint32_t>(amax);
  const int exponent = static_cast<int>(bits >> 23) - exponent_bias;
  return exponent - exponent_of_448 + ((bits & mantissa_mask) > mantissa_of_448 ? 1 : 0);
}

}  // namespace

float power_of_two_scale(float amax, int smallest_exponent) {
  assert(amax >= 0 && smallest_exponent > -100);
  return power_of_two(std::max(exponent_that_holds(amax), smallest_exponent));
}

// As integers: magnitudes of floats are ordered like their bits, and no comparison meets a NaN.
float largest_magnitude(std::span<const float> values) {
  constexpr std::int32_t infinity = 0x7f800000;
  std::int32_t largest = 0;
  for (const float value : values) {
    const std::int32_t magnitude = std::bit_cast<std::int32_t>(value) & 0x7fffffff;
    largest = std::max(largest, magnitude <= infinity ? magnitude : 0);
  }
  return std::bit_cast<float>(largest);
}

float quantise_group(std::span<const float> values, int smallest_exponent, std::span<std::uint8_t> codes) {
  const float scale = power_of_two_scale(largest_magnitude(values), smallest_exponent);
  encode_e4m3(values, 1.0f / scale, codes);  // exact: the inverse of a power of two
  return scale;
}

void dequantise_group(std::span<const std::uint8_t> codes, float scale, std::span<float> values) {
  assert(codes.size() == values.size());
  for (std::size_t i = 0; i < codes.size(); ++i) values[i] = e4m3_to_float(codes[i]) * scale;
}

}  // namespace ess
