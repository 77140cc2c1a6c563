#include "ess_core/engine/open_loop.h"

#include <cmath>
#include <vector>

namespace ess {
namespace {

constexpr std::size_t hidden = 1024;

std::vector<float> state(token_id position, std::int32_t attempt = 0, request_id request = 3) {
  std::vector<float> out(hidden);
  fill_hidden_state({.seed = 9, .request = request, .position = position, .attempt = attempt}, out);
  return out;
}

double correlation(const std::vector<float>& a, const std::vector<float>& b, std::size_t part) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = part * hidden / 4; i < (part + 1) * hidden / 4; ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

TEST(hidden_state, is_a_function_of_its_arguments) {
  EXPECT_EQ(state(100), state(100));
  EXPECT_NE(state(100), state(101));
  EXPECT_NE(state(100), state(100, 1));
  EXPECT_NE(state(100), state(100, 0, 4));
}

TEST(hidden_state, parts_drift_at_their_own_pace) {
  const auto here = state(100);
  const auto next = state(101);
  const auto far = state(100 + 4 * slow_period);
  EXPECT_GT(correlation(here, next, 0), 0.999);  // fixed
  EXPECT_GT(correlation(here, far, 0), 0.999);
  EXPECT_GT(correlation(here, next, 1), 0.95);  // slow
  EXPECT_LT(std::abs(correlation(here, far, 1)), 0.25);
  EXPECT_GT(correlation(here, next, 2), 0.5);  // fast
  EXPECT_LT(std::abs(correlation(here, state(100 + 3 * fast_period), 2)), 0.25);
  EXPECT_LT(std::abs(correlation(here, next, 3)), 0.25);  // noise
}

TEST(hidden_state, every_part_has_unit_variance) {
  double squares = 0;
  for (token_id p = 0; p < 64; ++p) {
    for (const float x : state(p)) squares += static_cast<double>(x) * x;
  }
  EXPECT_NEAR(squares / (64 * hidden), 1.0, 0.05);
}

}  // namespace
}  // namespace ess
