#include "ess_core/layout/rope.h"

#include <cmath>

namespace ess {
namespace {

const rope_dims yarn_of_v3_2{.factor = 40.0};

TEST(rope_inverse_frequencies, are_powers_of_theta_without_yarn) {
  const auto frequencies = rope_inverse_frequencies({}, 64);
  ASSERT_EQ(frequencies.size(), 32u);
  for (int i = 0; i < 32; ++i) EXPECT_NEAR(frequencies[i] * std::pow(10000.0, i / 32.0), 1.0, 1e-14) << i;
}

TEST(rope_inverse_frequencies, yarn_keeps_fast_pairs_and_slows_the_others) {
  const auto plain = rope_inverse_frequencies({}, 64);
  const auto yarn = rope_inverse_frequencies(yarn_of_v3_2, 64);
  for (int i = 0; i <= 10; ++i) EXPECT_EQ(yarn[i], plain[i]) << i;  // the ramp runs from 10 to 23
  for (int i = 11; i < 23; ++i) EXPECT_LT(yarn[i], plain[i]) << i;
  for (int i = 11; i < 23; ++i) EXPECT_GT(yarn[i], plain[i] / 40) << i;
  for (int i = 23; i < 32; ++i) EXPECT_NEAR(yarn[i] / plain[i] * 40, 1.0, 1e-14) << i;
}

TEST(rope_inverse_frequencies, a_ramp_of_no_width_is_a_step) {
  const rope_dims step{.factor = 4.0, .original_context = 1, .beta_fast = 1.0, .beta_slow = 1.0};
  for (const double frequency : rope_inverse_frequencies(step, 8)) EXPECT_TRUE(std::isfinite(frequency));
}

TEST(rope_cos_sin, takes_the_angle_in_double) {
  const auto frequencies = rope_inverse_frequencies({}, 4);
  std::vector<double> cos(2), sin(2);
  rope_cos_sin(frequencies, 131'071, cos, sin);
  EXPECT_EQ(cos[0], std::cos(131'071.0));
  EXPECT_EQ(sin[1], std::sin(131'071.0 * frequencies[1]));
  std::vector<float> cos_single(2), sin_single(2);
  rope_cos_sin(frequencies, 131'071, cos_single, sin_single);
  EXPECT_EQ(cos_single[0], static_cast<float>(cos[0]));
  EXPECT_EQ(sin_single[1], static_cast<float>(sin[1]));
}

// A quarter turn takes (1, 0) to (0, 1).
TEST(rotation, pairs_neighbours_or_halves) {
  const std::vector<float> cos = {0.0f, 1.0f}, sin = {1.0f, 0.0f};
  std::vector<float> neighbours = {1, 2, 3, 4}, halves = {1, 2, 3, 4};
  rotate_interleaved(neighbours, cos, sin);
  rotate_half_split(halves, cos, sin);
  EXPECT_EQ(neighbours, (std::vector<float>{-2, 1, 3, 4}));
  EXPECT_EQ(halves, (std::vector<float>{-3, 2, 1, 4}));
}

TEST(rotation, leaves_dot_products_to_the_distance_alone) {
  const auto frequencies = rope_inverse_frequencies(yarn_of_v3_2, 8);
  const auto dot_at = [&](token_id query, token_id key) {
    std::vector<double> q = {1, -2, 3, 4, 0.5, 6, 7, -8}, k = {2, 1, -1, 3, 5, 0.25, 1, 1};
    std::vector<double> cos(4), sin(4);
    rope_cos_sin(frequencies, query, cos, sin);
    rotate_interleaved(q, cos, sin);
    rope_cos_sin(frequencies, key, cos, sin);
    rotate_interleaved(k, cos, sin);
    double sum = 0;
    for (int i = 0; i < 8; ++i) sum += q[i] * k[i];
    return sum;
  };
  EXPECT_NEAR(dot_at(100, 40), dot_at(1060, 1000), 1e-10);
  EXPECT_GT(std::fabs(dot_at(100, 40) - dot_at(100, 41)), 1e-3);
}

}  // namespace
}  // namespace ess
