// Quantised values that a device made from f32, against the values that the reference has: codes may differ
// where a value lies next to a rounding boundary, by one.
#pragma once

#include <cstdint>
#include <span>

namespace harness {

struct code_rule {
  int smallest_exponent = 0;  // of the scale (ess_core/layout/scale.h)
  // Of the largest magnitude. What a value may err by before its last rounding: near zero, where codes are
  // denser than that, a distance of several codes counts as one.
  double value_slack = 0;
  // How near to a boundary of scales the largest magnitude must lie for the next scale to be right too.
  double scale_slack = 0;
};
// Two roundings to bf16, one of them before a Hadamard transform that spreads it: a step of bf16 is 2^-7.
inline constexpr code_rule index_rule = {
    .smallest_exponent = -22, .value_slack = 0x1p-9, .scale_slack = 0x1p-7};
inline constexpr code_rule latent_rule = {.smallest_exponent = -13, .value_slack = 1e-5, .scale_slack = 1e-5};

struct code_difference {
  std::int64_t values = 0;
  std::int64_t differing = 0;
  int distance = 0;  // the largest; huge where the scale is not one of those that may be
  float scale = 0;   // that the codes were made with

  code_difference& operator+=(const code_difference& other);
  [[nodiscard]] double share() const;
};

// e4m3 codes of `want` times the reciprocal of a power of two that `rule` leaves one or two choices for.
[[nodiscard]] code_difference compare_codes(std::span<const float> want, std::span<const std::uint8_t> got,
                                            const code_rule& rule);
// The same where the device says which scale it took.
[[nodiscard]] code_difference compare_codes(std::span<const float> want, std::span<const std::uint8_t> got,
                                            float got_scale, const code_rule& rule);
// bf16, two bytes each.
[[nodiscard]] code_difference compare_bf16(std::span<const float> want, std::span<const std::uint8_t> got,
                                           const code_rule& rule);
// A packed latent row. want: kv_lora values, then the rotary part.
[[nodiscard]] code_difference compare_latent_row(std::span<const float> want,
                                                 std::span<const std::uint8_t> row, int kv_lora,
                                                 const code_rule& rule);

}  // namespace harness
