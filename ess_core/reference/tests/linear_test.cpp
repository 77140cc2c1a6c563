#include "ess_core/reference/linear.h"

#include <cmath>

namespace ess::reference {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

TEST(matrix_vector, multiplies_rows_by_x) {
  const std::vector<float> weights = {1, 2, 3, 4, 5, 6};
  const std::vector<float> x = {1, 0.5, -1};
  EXPECT_THAT(matrix_vector(weights, x), ElementsAre(-1.0, 0.5));
}

TEST(matrix_vector, sums_in_double) {
  const std::vector<float> weights = {1e8f, 1.0f, -1e8f};
  const std::vector<float> x = {1, 1, 1};
  EXPECT_THAT(matrix_vector(weights, x), ElementsAre(1.0));
}

TEST(rms_norm, divides_by_the_root_mean_square) {
  const std::vector<float> x = {3, -4}, weight = {1, 2};
  const double root = std::sqrt(12.5 + 1e-6);
  EXPECT_THAT(rms_norm(x, weight), ElementsAre(DoubleNear(3 / root, 1e-15), DoubleNear(-8 / root, 1e-15)));
  const std::vector<float> zeros = {0, 0};
  EXPECT_THAT(rms_norm(zeros, weight), ElementsAre(0.0, 0.0));
}

TEST(layer_norm, takes_the_mean_off_and_adds_the_bias) {
  const std::vector<float> x = {1, 3}, weight = {2, 2}, bias = {10, 20};
  const double root = std::sqrt(1.0 + 1e-6);
  EXPECT_THAT(layer_norm(x, weight, bias),
              ElementsAre(DoubleNear(10 - 2 / root, 1e-14), DoubleNear(20 + 2 / root, 1e-14)));
  const std::vector<float> constant = {5, 5};
  EXPECT_THAT(layer_norm(constant, weight, bias), ElementsAre(10.0, 20.0));
}

TEST(gated_feed_forward, gates_with_silu) {
  const std::vector<float> gate = {1, 0, 0, 1}, up = {2, 0, 0, 3}, down = {1, 1}, x = {1, -2};
  const double expected = 1 / (1 + std::exp(-1.0)) * 2 + -2 / (1 + std::exp(2.0)) * -6;
  EXPECT_THAT(gated_feed_forward(gate, up, down, x), ElementsAre(DoubleNear(expected, 1e-14)));
}

TEST(gated_feed_forward, large_negative_gates_give_zero) {
  const std::vector<float> gate = {-1e30f}, one = {1};
  EXPECT_THAT(gated_feed_forward(gate, one, one, one), ElementsAre(0.0));
}

}  // namespace
}  // namespace ess::reference
