#include "harness/accuracy/code_match.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <vector>

#include "ess_core/base/bf16.h"
#include "ess_core/base/e4m3.h"
#include "ess_core/layout/latent_row.h"
#include "ess_core/layout/scale.h"

namespace harness {
namespace {

constexpr int unrelated = std::numeric_limits<int>::max();

// Sign and magnitude to a number that ascends with the value; both zeros are 0.
int ordered(int bits, int sign) { return (bits & sign) != 0 ? -(bits & (sign - 1)) : bits; }

struct coded_value {
  int order;
  float value;
};

void compare_one(const coded_value& got, const coded_value& want, double slack, code_difference& sum) {
  ++sum.values;
  int distance = std::abs(got.order - want.order);
  if (std::isnan(got.value) != std::isnan(want.value)) distance = unrelated;
  if (distance == 0) return;
  ++sum.differing;
  if (std::fabs(double{got.value} - want.value) <= slack) distance = 1;
  sum.distance = std::max(sum.distance, distance);
}

code_difference compare_at(std::span<const float> want, std::span<const std::uint8_t> got, float scale,
                           double slack) {
  const auto decode = [&](std::uint8_t code) {
    return coded_value{ordered(code, 0x80), ess::e4m3_to_float(code) * scale};
  };
  code_difference sum{.scale = scale};
  for (std::size_t i = 0; i < want.size(); ++i) {
    compare_one(decode(got[i]), decode(ess::float_to_e4m3(want[i] / scale)), slack, sum);
  }
  return sum;
}

std::vector<float> possible_scales(float largest, const code_rule& rule) {
  const float scale = ess::power_of_two_scale(largest, rule.smallest_exponent);
  std::vector<float> out = {scale};
  const double share = double{largest} / (double{ess::e4m3_max} * scale);  // in (1/2, 1] above the floor
  if (share >= 1.0 - rule.scale_slack) out.push_back(2.0f * scale);
  if (share <= 0.5 * (1.0 + rule.scale_slack) && scale > std::ldexp(1.0f, rule.smallest_exponent)) {
    out.push_back(0.5f * scale);
  }
  return out;
}

}  // namespace

code_difference& code_difference::operator+=(const code_difference& other) {
  values += other.values;
  differing += other.differing;
  distance = std::max(distance, other.distance);
  return *this;
}

double code_difference::share() const {
  return values == 0 ? 0 : static_cast<double>(differing) / static_cast<double>(values);
}

code_difference compare_codes(std::span<const float> want, std::span<const std::uint8_t> got,
                              const code_rule& rule) {
  const float largest = ess::largest_magnitude(want);
  code_difference best{.distance = unrelated};
  for (const float scale : possible_scales(largest, rule)) {
    const code_difference found = compare_at(want, got, scale, rule.value_slack * largest);
    if (best.values == 0 || found.differing < best.differing) best = found;
  }
  return best;
}

code_difference compare_codes(std::span<const float> want, std::span<const std::uint8_t> got, float got_scale,
                              const code_rule& rule) {
  const float largest = ess::largest_magnitude(want);
  const std::vector<float> scales = possible_scales(largest, rule);
  if (std::ranges::find(scales, got_scale) == scales.end()) {
    const auto all = static_cast<std::int64_t>(want.size());
    return {.values = all, .differing = all, .distance = unrelated, .scale = got_scale};
  }
  return compare_at(want, got, got_scale, rule.value_slack * largest);
}

code_difference compare_bf16(std::span<const float> want, std::span<const std::uint8_t> got,
                             const code_rule& rule) {
  const double slack = rule.value_slack * ess::largest_magnitude(want);
  const auto decode = [](std::uint16_t bits) {
    return coded_value{ordered(bits, 0x8000), ess::bf16_to_float(bits)};
  };
  code_difference sum{.scale = 1};
  for (std::size_t i = 0; i < want.size(); ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, got.data() + 2 * i, sizeof bits);
    compare_one(decode(bits), decode(ess::float_to_bf16(want[i])), slack, sum);
  }
  return sum;
}

code_difference compare_latent_row(std::span<const float> want, std::span<const std::uint8_t> row,
                                   int kv_lora, const code_rule& rule) {
  const ess::latent_row_format format{.kv_lora = kv_lora, .rope = static_cast<int>(want.size()) - kv_lora};
  code_difference sum;
  for (int tile = 0; tile < format.tiles(); ++tile) {
    const auto first = static_cast<std::size_t>(tile * ess::latent_tile);
    const auto count = std::min<std::size_t>(ess::latent_tile, static_cast<std::size_t>(kv_lora) - first);
    float scale = 0;
    std::memcpy(&scale, row.data() + format.scale_offset() + 4 * tile, sizeof scale);
    sum += compare_codes(want.subspan(first, count), row.subspan(first, count), scale, rule);
  }
  return sum += compare_bf16(want.subspan(static_cast<std::size_t>(kv_lora)),
                             row.subspan(static_cast<std::size_t>(format.rotary_offset())), rule);
}

}  // namespace harness
