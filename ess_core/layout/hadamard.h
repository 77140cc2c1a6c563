// The Walsh-Hadamard transform that spreads an index vector before it is quantised.
#pragma once

#include <span>

namespace ess {

// In place: y = n^-0.5 * H x with H[i][j] = (-1)^popcount(i & j) (natural order). n = size, a power of two.
// Its own inverse. f32 butterflies, one multiplication at the end.
void hadamard_transform(std::span<float> values);
void hadamard_transform(std::span<double> values);

}  // namespace ess
