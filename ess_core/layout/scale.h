// Power-of-two scales of groups of e4m3 values: the smallest 2^e with amax <= 448 * 2^e, not below a floor.
#pragma once

#include <cstdint>
#include <span>

namespace ess {

// Smallest exponents of the two rules in use. Latent tiles: 2^ceil(log2(max(amax/448, 1e-4))), as FlashMLA
// writes its FP8 KV cache. Index vectors: 2^ceil(log2(max(amax, 1e-4)/448)), as DeepSeek-V3.2's indexer does.
inline constexpr int latent_smallest_exponent = -13;
inline constexpr int index_smallest_exponent = -22;

// Integer arithmetic on the exponent, so exact. amax >= 0.
[[nodiscard]] float power_of_two_scale(float amax, int smallest_exponent);

// The largest magnitude, infinity included; NaNs do not count. 0 if there is none.
[[nodiscard]] float largest_magnitude(std::span<const float> values);

// Writes the codes of value / scale, of equal sizes, and returns the scale. A NaN becomes a NaN code and
// leaves the others as they are.
float quantise_group(std::span<const float> values, int smallest_exponent, std::span<std::uint8_t> codes);

// value = code * scale, in f32, for any scale.
void dequantise_group(std::span<const std::uint8_t> codes, float scale, std::span<float> values);

}  // namespace ess
