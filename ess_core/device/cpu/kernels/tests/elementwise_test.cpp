#include "ess_core/device/cpu/kernels/elementwise.h"

#include <cmath>

#include "ess_core/device/cpu/kernels/tests/test_data.h"
#include "ess_core/reference/linear.h"

namespace ess::cpu {
namespace {

using test::random_floats;

class elementwise : public testing::TestWithParam<int> {
 protected:
  std::size_t n = static_cast<std::size_t>(GetParam());
  std::vector<float> x = random_floats(n, 1, 3.0f);
  std::vector<float> weight = random_floats(n, 2);
  std::vector<float> bias = random_floats(n, 3);
  std::vector<float> out = std::vector<float>(n, NAN);
};

TEST_P(elementwise, rms_norm_equals_the_reference) {
  rms_norm(x.data(), GetParam(), out.data());
  const auto expected = reference::rms_norm(x, std::vector<float>(n, 1.0f));
  for (std::size_t i = 0; i < n; ++i) ASSERT_NEAR(out[i], expected[i], 2e-6) << i;
}

TEST_P(elementwise, layer_norm_equals_the_reference) {
  for (float& value : x) value += 10.0f;
  layer_norm(x.data(), weight.data(), bias.data(), GetParam(), out.data());
  const auto expected = reference::layer_norm(x, weight, bias);
  for (std::size_t i = 0; i < n; ++i) ASSERT_NEAR(out[i], expected[i], 3e-5) << i;
}

TEST_P(elementwise, silu_multiply_equals_the_formula) {
  for (float& value : x) value *= 20.0f;
  if (n > 2) x[0] = 200.0f, x[1] = -200.0f;
  silu_multiply(x.data(), weight.data(), GetParam(), out.data());
  for (std::size_t i = 0; i < n; ++i) {
    const double expected = x[i] / (1.0 + std::exp(-double{x[i]})) * weight[i];
    ASSERT_NEAR(out[i], expected, 1e-6 * std::fabs(expected) + 1e-30) << x[i];
  }
}

TEST_P(elementwise, add_adds) {
  out = bias;
  add(x.data(), GetParam(), out.data());
  for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(out[i], bias[i] + x[i]);
}

TEST_P(elementwise, add_scaled_adds_multiples) {
  out = bias;
  add_scaled(x.data(), 0.7f, GetParam(), out.data());
  for (std::size_t i = 0; i < n; ++i) {
    ASSERT_NEAR(out[i], double{bias[i]} + double{0.7f} * x[i], 1e-6 * (1 + std::fabs(x[i]))) << i;
  }
}

TEST_P(elementwise, works_in_place) {
  rms_norm(x.data(), GetParam(), out.data());
  auto in_place = x;
  rms_norm(in_place.data(), GetParam(), in_place.data());
  EXPECT_TRUE(test::same_bits(in_place, out));
  layer_norm(x.data(), weight.data(), bias.data(), GetParam(), out.data());
  in_place = x;
  layer_norm(in_place.data(), weight.data(), bias.data(), GetParam(), in_place.data());
  EXPECT_TRUE(test::same_bits(in_place, out));
  silu_multiply(x.data(), weight.data(), GetParam(), out.data());
  in_place = x;
  silu_multiply(in_place.data(), weight.data(), GetParam(), in_place.data());
  EXPECT_TRUE(test::same_bits(in_place, out));
}

INSTANTIATE_TEST_SUITE_P(sizes, elementwise, testing::Values(1, 3, 16, 17, 63, 64, 65, 128, 384, 1000, 7168));

TEST(elementwise_zero, a_zero_vector_has_a_zero_norm) {
  std::vector<float> x(64, 0.0f);
  rms_norm(x.data(), 64, x.data());
  EXPECT_THAT(x, testing::Each(0.0f));
}

}  // namespace
}  // namespace ess::cpu
