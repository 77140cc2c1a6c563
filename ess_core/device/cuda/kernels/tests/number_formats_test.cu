#include <bit>
#include <cmath>
#include <numeric>

#include "ess_core/device/cuda/kernels/number_formats.h"
#include "ess_core/device/cuda/kernels/tests/device_memory.h"
#include "ess_core/base/bf16.h"
#include "ess_core/base/e4m3.h"
#include "ess_core/layout/scale.h"

namespace ess::ESS_CUDA::test {
namespace {

using cuda_number_formats = on_device;

struct conversions {
  const float* values;  // [n]
  int n;
  std::uint8_t* codes;  // [n]
  float* scales;        // [n], of groups of one value each
  float* decoded;       // [256]
  std::uint16_t* bf16;  // [256]
};

__global__ void convert(conversions p) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < 256) p.decoded[i] = e4m3_to_float(static_cast<std::uint8_t>(i));
  if (i < 64) {
    std::uint32_t two[2];
    e4m3_to_bf16(0x03020100u + 0x04040404u * static_cast<unsigned>(i), two[0], two[1]);
    for (int k = 0; k < 4; ++k) p.bf16[4 * i + k] = static_cast<std::uint16_t>(two[k / 2] >> (k % 2 * 16));
  }
  if (i >= p.n) return;
  p.codes[i] = float_to_e4m3(p.values[i]);
  p.scales[i] = power_of_two_scale(larger_magnitude(0, p.values[i]), -22);
}

// Every exponent with mantissas around those at which rounding changes, infinities and NaNs, both signs.
std::vector<float> telling_floats() {
  std::vector<float> values;
  for (std::uint32_t top = 0; top < 0x2000;
       ++top) {  // sign, exponent, the three bits that a code has and one more
    for (const std::uint32_t rest : {0u, 1u, 0x3ffffu, 0x40000u, 0x7ffffu}) {
      values.push_back(std::bit_cast<float>(top << 19 | rest));
    }
  }
  return values;
}

struct results {
  std::vector<std::uint8_t> codes;
  std::vector<float> scales, decoded;
  std::vector<std::uint16_t> bf16;
};

results convert_all(const std::vector<float>& values) {
  const device_array in(values);
  const device_array<std::uint8_t> codes(values.size());
  const device_array<float> scales(values.size()), decoded(256);
  const device_array<std::uint16_t> bf16(256);
  const conversions p{
      in.data(), static_cast<int>(values.size()), codes.data(), scales.data(), decoded.data(), bf16.data()};
  check(launch(convert, dim3((static_cast<unsigned>(values.size()) + 255) / 256), dim3(256), 0, nullptr, p));
  return {codes.values(), scales.values(), decoded.values(), bf16.values()};
}

TEST_F(cuda_number_formats, equal_the_layout) {
  const std::vector<float> values = telling_floats();
  const results r = convert_all(values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(r.codes[i], ess::float_to_e4m3(values[i])) << values[i];
    ASSERT_EQ(r.scales[i], ess::power_of_two_scale(ess::largest_magnitude(std::span(&values[i], 1)), -22));
  }
  for (unsigned code = 0; code < 256; ++code) {
    const float want = ess::e4m3_to_float(static_cast<std::uint8_t>(code));
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(r.decoded[code]));
    } else {
      EXPECT_EQ(std::bit_cast<std::uint32_t>(r.decoded[code]), std::bit_cast<std::uint32_t>(want)) << code;
      EXPECT_EQ(r.bf16[code], ess::float_to_bf16(want)) << code;
    }
  }
}

}  // namespace
}  // namespace ess::ESS_CUDA::test
