#include "ess_core/device/cuda/kernels/linear_pack.h"

#include <cassert>

#include "ess_core/base/bf16.h"
#include "ess_core/base/e4m3.h"
#include "ess_core/layout/scale.h"

namespace ess::ESS_CUDA {
namespace {

constexpr int smallest_exponent = -60;

// A matrix, and zeros around it.
struct padded_matrix {
  std::span<const float> weights;
  int n, k;
  float factor;

  [[nodiscard]] float at(int row, int column) const {
    if (row >= n || column >= k) return 0.0f;
    return weights[static_cast<std::size_t>(row) * static_cast<std::size_t>(k) +
                   static_cast<std::size_t>(column)] *
           factor;
  }
};

// 16 bytes of a lane whose part starts at `row` and `column`: register r holds row + 8 (r & 1), two columns.
std::uint8_t* write_bf16(const padded_matrix& m, int row, int column, std::uint8_t* out) {
  for (int i = 0; i < 8; ++i) {
    const std::uint16_t bits = float_to_bf16(m.at(row + 8 * (i >> 1 & 1), column + 2 * (i >> 2) + (i & 1)));
    *out++ = static_cast<std::uint8_t>(bits);
    *out++ = static_cast<std::uint8_t>(bits >> 8);
  }
  return out;
}

// Two registers of a fragment share a word, in its even and its odd bytes.
std::uint8_t* write_e4m3(const padded_matrix& m, int row, int column, std::uint8_t* out) {
  for (int i = 0; i < 16; ++i)
    *out++ = float_to_e4m3(m.at(row + 8 * (i & 1), column + 16 * (i >> 3) + 2 * (i >> 2 & 1) + (i >> 1 & 1)));
  return out;
}

}  // namespace

float linear_scale(std::span<const float> weights, weight_format format) {
  return format == weight_format::bf16 ? 1.0f
                                       : power_of_two_scale(largest_magnitude(weights), smallest_exponent);
}

void pack_linear(std::span<const float> weights, int n, int k, weight_format format, float scale,
                 std::span<std::uint8_t> packed) {
  assert(weights.size() == static_cast<std::size_t>(n) * static_cast<std::size_t>(k));
  assert(packed.size() == packed_linear_bytes(format, n, k));
  const padded_matrix m{weights, n, k, 1.0f / scale};
  const int step = format == weight_format::bf16 ? 16 : 32;
  std::uint8_t* out = packed.data();
  for (int group = 0; group < n; group += linear_group)
    for (int column = 0; column < linear_padded(k); column += step)
      for (int row = group; row < group + linear_group; row += 16)
        for (int lane = 0; lane < 32; ++lane)
          out = (format == weight_format::bf16 ? write_bf16 : write_e4m3)(m, row + lane / 4,
                                                                          column + lane % 4 * 4, out);
}

}  // namespace ess::ESS_CUDA
