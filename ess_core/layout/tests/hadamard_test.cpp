#include "ess_core/layout/hadamard.h"

#include <bit>
#include <cmath>
#include <vector>

namespace ess {
namespace {

TEST(hadamard_transform, is_the_matrix_of_popcount_signs) {
  std::vector<double> values(128), expected(128);
  for (int i = 0; i < 128; ++i) values[i] = std::sin(i * 1.3);
  for (unsigned i = 0; i < 128; ++i) {
    for (unsigned j = 0; j < 128; ++j) expected[i] += std::popcount(i & j) % 2 == 0 ? values[j] : -values[j];
    expected[i] /= std::sqrt(128.0);
  }
  std::vector<float> single(values.begin(), values.end());
  hadamard_transform(values);
  hadamard_transform(single);
  for (int i = 0; i < 128; ++i) {
    EXPECT_NEAR(values[i], expected[i], 1e-13) << i;
    EXPECT_NEAR(single[i], expected[i], 1e-5) << i;
  }
}

TEST(hadamard_transform, is_its_own_inverse) {
  std::vector<double> values = {1, 2, 3, 4, 5, 6, 7, 8};
  const auto before = values;
  hadamard_transform(values);
  EXPECT_NE(values, before);
  hadamard_transform(values);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_NEAR(values[i], before[i], 1e-14);
}

TEST(hadamard_transform, of_one_value_is_that_value) {
  std::vector<float> values = {3.5f};
  hadamard_transform(values);
  EXPECT_EQ(values[0], 3.5f);
}

}  // namespace
}  // namespace ess
