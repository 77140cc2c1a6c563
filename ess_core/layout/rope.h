// Rotary position embedding with YaRN, and the two ways in which DeepSeek-V3.2 pairs dimensions: the
// attention's rotary part pairs (2i, 2i+1), the indexer pairs (i, i + n/2) in its first n dimensions.
#pragma once

#include <span>
#include <vector>

#include "ess_core/base/units.h"
#include "ess_core/model/dims.h"

namespace ess {

// Radians per position of each of the rope/2 pairs. YaRN (arXiv 2309.00071) blends theta^(-2i/rope) with the
// same divided by `factor`, along a ramp between the pairs that turn beta_fast and beta_slow times within
// original_context.
[[nodiscard]] std::vector<double> rope_inverse_frequencies(const rope_dims& rotary, int rope);

// cos and sin of position * inverse frequency, of equal sizes. The angle is f64, whatever the result is.
void rope_cos_sin(std::span<const double> inverse_frequencies, token_id position, std::span<float> cos,
                  std::span<float> sin);
void rope_cos_sin(std::span<const double> inverse_frequencies, token_id position, std::span<double> cos,
                  std::span<double> sin);

// In place; values: 2n, cos and sin: n.
void rotate_interleaved(std::span<float> values, std::span<const float> cos, std::span<const float> sin);
void rotate_interleaved(std::span<double> values, std::span<const double> cos, std::span<const double> sin);
void rotate_half_split(std::span<float> values, std::span<const float> cos, std::span<const float> sin);
void rotate_half_split(std::span<double> values, std::span<const double> cos, std::span<const double> sin);

}  // namespace ess
