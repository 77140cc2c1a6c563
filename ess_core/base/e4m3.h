// 8-bit floats, "fn" variant: sign, 4 exponent bits (bias 7), 3 mantissa bits. No infinity, 0x7f and 0xff are
// NaN, largest 448, smallest normal 2^-6, smallest subnormal 2^-9.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace ess {

inline constexpr float e4m3_max = 448.0f;

// The value of each code.
extern const std::array<float, 256> e4m3_values;

[[nodiscard]] inline float e4m3_to_float(std::uint8_t code) { return e4m3_values[code]; }

// To nearest, ties to even; beyond +-448, infinities too, +-448; a NaN keeps its sign.
[[nodiscard]] std::uint8_t float_to_e4m3(float value);

// Element-wise, of equal sizes. `factor` multiplies before the conversion.
void encode_e4m3(std::span<const float> values, float factor, std::span<std::uint8_t> codes);

}  // namespace ess
