#include "ess_core/locality/portable_math.h"

#include <algorithm>
#include <cmath>

namespace ess {
namespace {

TEST(portable_math, exp_is_exp) {
  for (double x = -700.0; x <= 700.0; x += 0.37) {
    ASSERT_NEAR(portable_exp(x) / std::exp(x), 1.0, 1e-14) << x;
  }
  EXPECT_EQ(portable_exp(0.0), 1.0);
}

TEST(portable_math, log_is_log) {
  for (double x = 1e-300; x < 1e300; x *= 1.7) {
    ASSERT_NEAR(portable_log(x), std::log(x), 1e-15 * std::max(1.0, std::abs(std::log(x)))) << x;
  }
  for (double x = 0.5; x < 2; x += 0.001) ASSERT_NEAR(portable_log(x), std::log(x), 1e-15) << x;
  EXPECT_EQ(portable_log(1.0), 0.0);
}

TEST(portable_math, the_normal_distribution_is_that_of_erfc) {
  for (double z = -8.0; z <= 8.0; z += 0.01) {
    ASSERT_NEAR(normal_share_below(z), 0.5 * std::erfc(-z / std::sqrt(2.0)), 1e-14) << z;
  }
}

TEST(portable_math, a_quantile_has_its_share_below) {
  for (const double share : {1e-12, 1e-6, 1.0 / 64, 0.3, 0.5, 0.9, 1 - 1e-9}) {
    ASSERT_NEAR(normal_share_below(normal_quantile(share)), share, 1e-14) << share;
  }
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-12);
}

// Bits, not values: every machine must find the same.
TEST(portable_math, gives_the_same_bits_everywhere) {
  EXPECT_EQ(portable_exp(-1.0), 0x1.78b56362cef38p-2);
  EXPECT_EQ(portable_exp(3.7), 0x1.4394144eeec81p+5);
  EXPECT_EQ(normal_share_below(-1.25), 0x1.b0bdd12ba9c28p-4);
  EXPECT_EQ(normal_quantile(0.0625), -0x1.88bc1fbe1dabcp+0);
}

}  // namespace
}  // namespace ess
