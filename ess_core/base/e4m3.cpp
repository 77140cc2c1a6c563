#include "ess_core/base/e4m3.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <limits>

namespace ess {
namespace {

constexpr int mantissa_bits = 3;
constexpr int dropped_bits = 23 - mantissa_bits;
constexpr std::int32_t smallest_normal = 0x3c800000;  // 2^-6
constexpr std::int32_t largest = 0x43e00000;          // 448
constexpr std::int32_t infinity = 0x7f800000;

constexpr float value_of(unsigned code) {
  const unsigned magnitude = code & 0x7fu;
  const unsigned exponent = magnitude >> mantissa_bits;
  const unsigned mantissa = magnitude & 7u;
  if (magnitude == 0x7fu) return std::numeric_limits<float>::quiet_NaN();
  if (exponent == 0) {
    const float subnormal = static_cast<float>(mantissa) * 0x1p-9f;
    return code & 0x80u ? -subnormal : subnormal;
  }
  return std::bit_cast<float>((code & 0x80u) << 24 | (exponent + 127 - 7) << 23 | mantissa << dropped_bits);
}

constexpr std::array<float, 256> make_values() {
  std::array<float, 256> values{};
  for (unsigned code = 0; code < 256; ++code) values[code] = value_of(code);
  return values;
}

// Below the smallest normal the grid is 2^-9 apart, as the floats from 2^14 on are: the addition rounds.
std::int32_t encode_subnormal(std::int32_t magnitude) {
  constexpr float grid = 0x1p14f;
  return std::bit_cast<std::int32_t>(std::bit_cast<float>(magnitude) + grid) -
         std::bit_cast<std::int32_t>(grid);
}

std::int32_t encode_normal(std::int32_t magnitude) {
  constexpr std::int32_t just_below_half = (1 << (dropped_bits - 1)) - 1;
  const std::int32_t odd = magnitude >> dropped_bits & 1;
  return ((magnitude + just_below_half + odd) >> dropped_bits) - ((127 - 7) << mantissa_bits);
}

// Both ways, then a choice: no branches, and signed integers, so that loops over values become vector code.
std::int32_t encode_magnitude(std::int32_t magnitude) {
  const std::int32_t clamped = std::min(magnitude, largest);
  const std::int32_t subnormal = encode_subnormal(clamped);
  const std::int32_t normal = encode_normal(clamped);
  const std::int32_t finite = clamped < smallest_normal ? subnormal : normal;
  return magnitude > infinity ? 0x7f : finite;
}

}  // namespace

constinit const std::array<float, 256> e4m3_values = make_values();

std::uint8_t float_to_e4m3(float value) {
  const auto bits = std::bit_cast<std::int32_t>(value);
  return static_cast<std::uint8_t>((bits >> 24 & 0x80) | encode_magnitude(bits & 0x7fffffff));
}

void encode_e4m3(std::span<const float> values, float factor, std::span<std::uint8_t> codes) {
  assert(values.size() == codes.size());
  for (std::size_t i = 0; i < values.size(); ++i) codes[i] = float_to_e4m3(values[i] * factor);
}

}  // namespace ess
