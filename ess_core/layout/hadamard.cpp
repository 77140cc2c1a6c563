#include "ess_core/layout/hadamard.h"

#include <bit>
#include <cassert>
#include <cmath>
#include <cstddef>

namespace ess {
namespace {

template <typename real>
void transform(std::span<real> values) {
  const std::size_t n = values.size();
  assert(std::has_single_bit(n));
  for (std::size_t half = 1; half < n; half *= 2) {
    for (std::size_t block = 0; block < n; block += 2 * half) {
      for (std::size_t i = block; i < block + half; ++i) {
        const real a = values[i];
        const real b = values[i + half];
        values[i] = a + b;
        values[i + half] = a - b;
      }
    }
  }
  const auto norm = static_cast<real>(1.0 / std::sqrt(static_cast<double>(n)));
  for (real& value : values) value *= norm;
}

}  // namespace

void hadamard_transform(std::span<float> values) { transform(values); }
void hadamard_transform(std::span<double> values) { transform(values); }

}  // namespace ess
