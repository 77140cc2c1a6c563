#include "ess_core/layout/rope.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace ess {
namespace {

// The pair, as a real number, that turns `turns` times within the original context.
double pair_of_turns(const rope_dims& rotary, int rope, double turns) {
  return rope * std::log(rotary.original_context / (turns * 2.0 * std::numbers::pi)) /
         (2.0 * std::log(rotary.theta));
}

struct ramp {
  double low = 0;
  double high = 0;

  // 0 where frequencies stay as they are, 1 where they are divided by the factor.
  [[nodiscard]] double at(double pair) const { return std::clamp((pair - low) / (high - low), 0.0, 1.0); }
};

ramp yarn_ramp(const rope_dims& rotary, int rope) {
  const double low = std::max(std::floor(pair_of_turns(rotary, rope, rotary.beta_fast)), 0.0);
  const double high = std::min(std::ceil(pair_of_turns(rotary, rope, rotary.beta_slow)), rope - 1.0);
  return {low, low == high ? high + 0.001 : high};
}

template <typename real>
void cos_sin(std::span<const double> inverse_frequencies, token_id position, std::span<real> cos,
             std::span<real> sin) {
  assert(cos.size() == inverse_frequencies.size() && sin.size() == cos.size());
  for (std::size_t i = 0; i < cos.size(); ++i) {
    const double angle = position * inverse_frequencies[i];
    cos[i] = static_cast<real>(std::cos(angle));
    sin[i] = static_cast<real>(std::sin(angle));
  }
}

template <typename real>
void rotate_pair(real& a, real& b, real cos, real sin) {
  const real rotated = a * cos - b * sin;
  b = a * sin + b * cos;
  a = rotated;
}

template <typename real>
void interleaved(std::span<real> values, std::span<const real> cos, std::span<const real> sin) {
  assert(values.size() == 2 * cos.size() && sin.size() == cos.size());
  for (std::size_t i = 0; i < cos.size(); ++i) rotate_pair(values[2 * i], values[2 * i + 1], cos[i], sin[i]);
}

template <typename real>
void half_split(std::span<real> values, std::span<const real> cos, std::span<const real> sin) {
  assert(values.size() == 2 * cos.size() && sin.size() == cos.size());
  const std::size_t half = cos.size();
  for (std::size_t i = 0; i < half; ++i) rotate_pair(values[i], values[i + half], cos[i], sin[i]);
}

}  // namespace

std::vector<double> rope_inverse_frequencies(const rope_dims& rotary, int rope) {
  assert(rope > 0 && rope % 2 == 0);
  std::vector<double> frequencies(static_cast<std::size_t>(rope / 2));
  const ramp blend = yarn_ramp(rotary, rope);
  for (int i = 0; i < rope / 2; ++i) {
    const double plain = std::pow(rotary.theta, -2.0 * i / rope);
    const double scaled = rotary.factor > 1.0 ? blend.at(i) : 0.0;
    frequencies[i] = plain * (1.0 - scaled) + plain / rotary.factor * scaled;
  }
  return frequencies;
}

void rope_cos_sin(std::span<const double> inverse_frequencies, token_id position, std::span<float> cos,
                  std::span<float> sin) {
  cos_sin(inverse_frequencies, position, cos, sin);
}
void rope_cos_sin(std::span<const double> inverse_frequencies, token_id position, std::span<double> cos,
                  std::span<double> sin) {
  cos_sin(inverse_frequencies, position, cos, sin);
}

void rotate_interleaved(std::span<float> values, std::span<const float> cos, std::span<const float> sin) {
  interleaved(values, cos, sin);
}
void rotate_interleaved(std::span<double> values, std::span<const double> cos, std::span<const double> sin) {
  interleaved(values, cos, sin);
}
void rotate_half_split(std::span<float> values, std::span<const float> cos, std::span<const float> sin) {
  half_split(values, cos, sin);
}
void rotate_half_split(std::span<double> values, std::span<const double> cos, std::span<const double> sin) {
  half_split(values, cos, sin);
}

}  // namespace ess
