#include "harness/accuracy/code_match.h"

#include <vector>

#include "ess_core/base/random.h"
#include "ess_core/layout/latent_row.h"
#include "ess_core/layout/scale.h"

namespace harness {
namespace {

std::vector<float> some_values(std::size_t n) {
  std::vector<float> out(n);
  ess::counter_rng(1, ess::purpose::microbenchmark).fill_unit_variance(out, 0);
  return out;
}

TEST(code_match, codes_of_the_same_values_do_not_differ) {
  const auto values = some_values(128);
  std::vector<std::uint8_t> codes(128);
  const float scale = ess::quantise_group(values, index_rule.smallest_exponent, codes);
  const code_difference d = compare_codes(values, codes, index_rule);
  EXPECT_EQ(d.values, 128);
  EXPECT_EQ(d.differing, 0);
  EXPECT_EQ(d.distance, 0);
  EXPECT_EQ(d.scale, scale);
}

TEST(code_match, a_code_is_as_far_as_the_codes_between) {
  std::vector<float> values = some_values(128);
  values[5] = 0.5f;
  std::vector<std::uint8_t> codes(128);
  (void)ess::quantise_group(values, index_rule.smallest_exponent, codes);
  codes[5] = static_cast<std::uint8_t>(codes[5] + 1);
  EXPECT_EQ(compare_codes(values, codes, index_rule).distance, 1);
  codes[5] = static_cast<std::uint8_t>(codes[5] + 1);
  EXPECT_EQ(compare_codes(values, codes, index_rule).distance, 2);
  EXPECT_DOUBLE_EQ(compare_codes(values, codes, index_rule).share(), 1.0 / 128);
  codes[5] = 0x7f;  // NaN
  EXPECT_GT(compare_codes(values, codes, index_rule).distance, 1000);
}

TEST(code_match, near_zero_several_codes_are_within_the_rounding_before) {
  std::vector<float> values = some_values(128);
  std::vector<std::uint8_t> codes(128);
  values[7] = 0.0f;
  (void)ess::quantise_group(values, index_rule.smallest_exponent, codes);
  codes[7] = 5;
  EXPECT_EQ(compare_codes(values, codes, index_rule).distance, 1);
  EXPECT_GT(compare_codes(values, codes, latent_rule).distance, 1);
}

TEST(code_match, the_next_scale_is_right_only_next_to_a_boundary) {
  std::vector<float> values = some_values(128);
  std::vector<std::uint8_t> codes(128);
  values[0] = 448.0f / 64;  // the largest, just within a scale of 2^-6
  values[0] *= 1.001f;
  for (std::size_t i = 1; i < 128; ++i) values[i] *= 3.0f;
  EXPECT_EQ(ess::quantise_group(values, -22, codes), 0x1p-5f);
  values[0] /= 1.001f * 1.001f;  // the device's value fell to the other side
  EXPECT_LE(compare_codes(values, codes, 0x1p-5f, index_rule).distance, 1);
  EXPECT_EQ(compare_codes(values, codes, index_rule).scale, 0x1p-5f);
  EXPECT_GT(compare_codes(values, codes, 0x1p-4f, index_rule).distance, 1000);
  values[0] *= 0.9f;
  for (std::size_t i = 1; i < 128; ++i) values[i] *= 0.9f;
  EXPECT_GT(compare_codes(values, codes, 0x1p-5f, index_rule).distance, 1000);
}

TEST(code_match, latent_rows_are_compared_by_tile_and_rotary_part) {
  const ess::latent_row_format format;
  const auto values = some_values(576);
  std::vector<std::uint8_t> row(static_cast<std::size_t>(format.bytes()));
  ess::pack_latent_row(std::span(values).first(512), std::span(values).subspan(512), row);
  EXPECT_EQ(compare_latent_row(values, row, 512, latent_rule).values, 576);
  EXPECT_EQ(compare_latent_row(values, row, 512, latent_rule).distance, 0);
  auto other = row;
  other[static_cast<std::size_t>(format.rotary_offset()) + 1] ^= 1;  // an upper bit of the first bf16
  EXPECT_GT(compare_latent_row(values, other, 512, latent_rule).distance, 1);
  other = row;
  other[515] ^= 1;  // exponent of the first tile's scale
  EXPECT_GT(compare_latent_row(values, other, 512, latent_rule).distance, 1000);
}

}  // namespace
}  // namespace harness
