#include "ess_core/base/e4m3.h"

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace ess {
namespace {

TEST(e4m3, every_code_survives_a_round_trip) {
  for (unsigned code = 0; code < 256; ++code) {
    EXPECT_EQ(float_to_e4m3(e4m3_to_float(static_cast<std::uint8_t>(code))) & 0x7fu, code & 0x7fu) << code;
    if ((code & 0x7fu) == 0x7fu) {
      EXPECT_TRUE(std::isnan(e4m3_to_float(static_cast<std::uint8_t>(code))));
    } else {
      EXPECT_EQ(float_to_e4m3(e4m3_to_float(static_cast<std::uint8_t>(code))), code);
    }
  }
}

TEST(e4m3, has_the_values_of_the_fn_variant) {
  EXPECT_EQ(e4m3_to_float(0x01), 0x1p-9f);
  EXPECT_EQ(e4m3_to_float(0x07), 7 * 0x1p-9f);
  EXPECT_EQ(e4m3_to_float(0x08), 0x1p-6f);
  EXPECT_EQ(e4m3_to_float(0x38), 1.0f);
  EXPECT_EQ(e4m3_to_float(0x7e), 448.0f);
  EXPECT_EQ(e4m3_to_float(0xfe), -448.0f);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(e4m3_to_float(0x80)), 0x80000000u);
}

TEST(e4m3, midpoints_go_to_the_even_code_and_their_neighbours_to_the_nearer) {
  for (unsigned code = 0; code < 0x7e; ++code) {
    const float low = e4m3_to_float(static_cast<std::uint8_t>(code));
    const float high = e4m3_to_float(static_cast<std::uint8_t>(code + 1));
    const float middle = 0.5f * (low + high);
    EXPECT_EQ(float_to_e4m3(middle), code % 2 == 0 ? code : code + 1) << code;
    EXPECT_EQ(float_to_e4m3(std::nextafter(middle, low)), code) << code;
    EXPECT_EQ(float_to_e4m3(std::nextafter(middle, high)), code + 1) << code;
    EXPECT_EQ(float_to_e4m3(-middle), 0x80u | (code % 2 == 0 ? code : code + 1)) << code;
  }
}

TEST(e4m3, saturates_and_keeps_nan_and_sign) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  for (const float beyond : {448.0f, 449.0f, 464.0f, 465.0f, 1e30f, inf}) {
    EXPECT_EQ(float_to_e4m3(beyond), 0x7e) << beyond;
    EXPECT_EQ(float_to_e4m3(-beyond), 0xfe) << beyond;
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(float_to_e4m3(std::copysign(nan, 1.0f)), 0x7f);
  EXPECT_EQ(float_to_e4m3(std::copysign(nan, -1.0f)), 0xff);
  EXPECT_EQ(float_to_e4m3(std::bit_cast<float>(0x7f800001u)), 0x7f);
  EXPECT_EQ(float_to_e4m3(std::bit_cast<float>(0xffffffffu)), 0xff);
}

TEST(e4m3, small_values_round_to_subnormals_or_signed_zero) {
  EXPECT_EQ(float_to_e4m3(0x1p-10f), 0x00);  // a tie between zero and the smallest
  EXPECT_EQ(float_to_e4m3(std::nextafter(0x1p-10f, 1.0f)), 0x01);
  EXPECT_EQ(float_to_e4m3(3 * 0x1p-10f), 0x02);
  EXPECT_EQ(float_to_e4m3(-0x1p-10f), 0x80);
  EXPECT_EQ(float_to_e4m3(std::numeric_limits<float>::denorm_min()), 0x00);
  EXPECT_EQ(float_to_e4m3(-0.0f), 0x80);
  EXPECT_EQ(float_to_e4m3(std::nextafter(0x1p-6f, 0.0f)), 0x08);
}

TEST(e4m3, encodes_arrays_with_a_factor) {
  const std::vector<float> values = {1.0f, -2.0f, 448.0f};
  std::vector<std::uint8_t> codes(3);
  encode_e4m3(values, 0.5f, codes);
  EXPECT_EQ(codes,
            (std::vector<std::uint8_t>{float_to_e4m3(0.5f), float_to_e4m3(-1.0f), float_to_e4m3(224.0f)}));
}

}  // namespace
}  // namespace ess
