#include "ess_core/base/units.h"

namespace ess {
namespace {

TEST(byte_count, prints_in_powers_of_ten) {
  EXPECT_EQ(to_string(byte_count{0}), "0 B");
  EXPECT_EQ(to_string(byte_count{999}), "999 B");
  EXPECT_EQ(to_string(byte_count{656}), "656 B");
  EXPECT_EQ(to_string(byte_count{129'400'000}), "129.4 MB");
  EXPECT_EQ(to_string(byte_count{999'999}), "1.0 MB");
  EXPECT_EQ(to_string(byte_count{-1'500}), "-1.5 kB");
}

TEST(byte_count, adds_and_scales) {
  constexpr byte_count row{656};
  static_assert(row * 2 + byte_count{1} == byte_count{1313});
  EXPECT_LT(row, 2 * row);
}

}  // namespace
}  // namespace ess
