#include "ess_core/layout/scale.h"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "ess_core/base/e4m3.h"

namespace ess {
namespace {

constexpr int no_floor = -99;

TEST(power_of_two_scale, is_exact_at_448_times_every_power_and_doubles_just_above) {
  for (int exponent = -90; exponent <= 119; ++exponent) {
    const float amax = std::ldexp(448.0f, exponent);
    const float scale = std::ldexp(1.0f, exponent);
    EXPECT_EQ(power_of_two_scale(amax, no_floor), scale) << exponent;
    EXPECT_EQ(power_of_two_scale(std::nextafter(amax, 0.0f), no_floor), scale) << exponent;
    EXPECT_EQ(power_of_two_scale(std::nextafter(amax, std::numeric_limits<float>::infinity()), no_floor),
              2 * scale)
        << exponent;
    EXPECT_EQ(power_of_two_scale(std::ldexp(1.0f, exponent), no_floor), std::ldexp(1.0f, exponent - 8));
  }
}

TEST(power_of_two_scale, has_the_floors_of_both_rules) {
  for (const float tiny : {0.0f, std::numeric_limits<float>::denorm_min(), 1e-30f, 1e-6f}) {
    EXPECT_EQ(power_of_two_scale(tiny, latent_smallest_exponent), 0x1p-13f);
    EXPECT_EQ(power_of_two_scale(tiny, index_smallest_exponent), 0x1p-22f);
  }
  EXPECT_EQ(power_of_two_scale(448 * 0x1p-14f, latent_smallest_exponent), 0x1p-13f);
  EXPECT_EQ(power_of_two_scale(448 * 0x1p-14f, index_smallest_exponent), 0x1p-14f);
  EXPECT_EQ(power_of_two_scale(450 * 0x1p-13f, latent_smallest_exponent), 0x1p-12f);
}

TEST(power_of_two_scale, never_makes_a_value_saturate) {
  for (float amax = 1e-3f; amax < 1e6f; amax *= 1.0137f) {
    const float scaled = amax / power_of_two_scale(amax, index_smallest_exponent);
    EXPECT_LE(scaled, 448.0f) << amax;
    EXPECT_GT(scaled, 224.0f) << amax;
  }
}

TEST(power_of_two_scale, of_the_largest_float_and_infinity_is_finite) {
  EXPECT_EQ(power_of_two_scale(std::numeric_limits<float>::max(), -13), 0x1p120f);
  EXPECT_EQ(power_of_two_scale(std::numeric_limits<float>::infinity(), -13), 0x1p120f);
}

TEST(largest_magnitude, ignores_nans_and_signs) {
  EXPECT_EQ(largest_magnitude(std::array{1.0f, std::nanf(""), -3.0f, 2.0f}), 3.0f);
  EXPECT_EQ(largest_magnitude({}), 0.0f);
}

TEST(quantise_group, keeps_nan_and_infinity_where_they_are) {
  const std::array values = {7.0f, std::nanf(""), -std::numeric_limits<float>::infinity(), 0.0f};
  std::array<std::uint8_t, 4> codes{};
  EXPECT_EQ(quantise_group(std::span(values).first(2), -22, std::span(codes).first(2)), 0x1p-6f);
  EXPECT_EQ(codes[0], 0x7e);
  EXPECT_EQ(codes[1] & 0x7f, 0x7f);
  EXPECT_EQ(quantise_group(values, -22, codes), 0x1p120f);
  EXPECT_EQ(codes[2], 0xfe);
  EXPECT_EQ(codes[3], 0x00);
}

TEST(quantise_group, is_off_by_at_most_a_sixteenth_of_each_value) {
  std::vector<float> values;
  for (int i = 0; i < 128; ++i) values.push_back(std::sin(static_cast<float>(i)) * 5.0f);
  std::vector<std::uint8_t> codes(128);
  std::vector<float> back(128);
  const float scale = quantise_group(values, latent_smallest_exponent, codes);
  dequantise_group(codes, scale, back);
  for (int i = 0; i < 128; ++i) {
    EXPECT_LE(std::fabs(back[i] - values[i]), std::max(std::fabs(values[i]) / 16, scale * 0x1p-10f)) << i;
  }
}

}  // namespace
}  // namespace ess
