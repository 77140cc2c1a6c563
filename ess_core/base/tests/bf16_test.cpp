#include "ess_core/base/bf16.h"

#include <cmath>
#include <limits>

namespace ess {
namespace {

TEST(bf16, every_pattern_survives_a_round_trip) {
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
    const auto pattern = static_cast<std::uint16_t>(bits);
    const float value = bf16_to_float(pattern);
    if (std::isnan(value)) {
      ASSERT_EQ(float_to_bf16(value), pattern | 0x40u) << bits;
    } else {
      ASSERT_EQ(float_to_bf16(value), pattern) << bits;
    }
  }
}

TEST(bf16, ties_go_to_even) {
  EXPECT_EQ(float_to_bf16(std::bit_cast<float>(0x3f808000u)), 0x3f80);
  EXPECT_EQ(float_to_bf16(std::bit_cast<float>(0x3f818000u)), 0x3f82);
  EXPECT_EQ(float_to_bf16(std::bit_cast<float>(0x3f808001u)), 0x3f81);
  EXPECT_EQ(float_to_bf16(std::bit_cast<float>(0x3f817fffu)), 0x3f81);
  EXPECT_EQ(float_to_bf16(std::bit_cast<float>(0x00008000u)), 0x0000);
  EXPECT_EQ(float_to_bf16(std::bit_cast<float>(0x80018000u)), 0x8002);
}

TEST(bf16, overflows_to_infinity_and_quietens_nans) {
  EXPECT_EQ(float_to_bf16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(float_to_bf16(-std::numeric_limits<float>::infinity()), 0xff80);
  // A NaN whose payload lies in the lower half only must not become an infinity.
  EXPECT_EQ(float_to_bf16(std::bit_cast<float>(0x7f800001u)), 0x7fc0);
  EXPECT_EQ(float_to_bf16(std::bit_cast<float>(0xffffffffu)), 0xffff);
}

TEST(bf16, rounds_in_place) {
  static_assert(round_to_bf16(1.0f) == 1.0f);
  EXPECT_EQ(round_to_bf16(std::bit_cast<float>(0x3f808001u)), std::bit_cast<float>(0x3f810000u));
}

}  // namespace
}  // namespace ess
