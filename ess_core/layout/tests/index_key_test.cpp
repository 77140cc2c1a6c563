#include "ess_core/layout/index_key.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "ess_core/base/bf16.h"
#include "ess_core/base/e4m3.h"
#include "ess_core/layout/hadamard.h"
#include "ess_core/layout/rope.h"

namespace ess {
namespace {

TEST(index_page_format, puts_64_keys_before_64_scales) {
  constexpr index_page_format page;
  static_assert(page.page_bytes() == 8448);
  static_assert(page.key_offset(0) == 0 && page.key_offset(63) == 63 * 128);
  static_assert(page.scale_offset(0) == 8192 && page.scale_offset(63) == 8444);
  static_assert(page.key_offset(64) == 8448 && page.scale_offset(130) == 2 * 8448 + 8192 + 8);
  static_assert(page.bytes_for(0) == 0 && page.bytes_for(1) == 8448 && page.bytes_for(65) == 2 * 8448);
}

TEST(index_key, every_token_has_its_own_place_in_a_page_array) {
  constexpr int tokens = 3 * index_page_tokens;
  std::vector<std::uint8_t> pages(static_cast<std::size_t>(index_page_format{}.bytes_for(tokens)));
  for (int token = 0; token < tokens; ++token) {
    const std::vector<std::uint8_t> key(128, static_cast<std::uint8_t>(token + 1));
    pack_index_key(key, static_cast<float>(token) + 0.5f, token, pages);
  }
  for (int token = 0; token < tokens; ++token) {
    std::vector<std::uint8_t> key(128);
    EXPECT_EQ(unpack_index_key(pages, token, key), static_cast<float>(token) + 0.5f);
    EXPECT_EQ(std::ranges::count(key, static_cast<std::uint8_t>(token + 1)), 128) << token;
  }
}

TEST(index_key, zero_vector_has_the_smallest_scale) {
  const std::vector<float> values(128, 0.0f);
  std::vector<std::uint8_t> codes(128, 0xff);
  EXPECT_EQ(quantise_index_vector(values, codes), 0x1p-22f);
  EXPECT_EQ(std::ranges::count(codes, 0), 128);
}

TEST(index_key, amax_of_448_times_a_power_takes_that_power) {
  std::vector<float> values(128, 0.25f);
  values[77] = -7.0f;
  std::vector<std::uint8_t> codes(128);
  EXPECT_EQ(quantise_index_vector(values, codes), 0x1p-6f);
  EXPECT_EQ(codes[77], 0xfe);
  EXPECT_EQ(codes[0], float_to_e4m3(16.0f));
}

TEST(index_key, rounds_to_bf16_after_each_stage) {
  std::vector<float> values(128), cos(32), sin(32);
  for (int i = 0; i < 128; ++i) values[i] = std::cos(static_cast<float>(i * i));
  rope_cos_sin(rope_inverse_frequencies({}, 64), 1234, cos, sin);
  auto by_hand = values;
  rotate_half_split(std::span(by_hand).first(64), cos, sin);
  for (float& value : by_hand) value = round_to_bf16(value);
  rotate_index_vector(values, cos, sin);
  EXPECT_EQ(values, by_hand);
  hadamard_transform(by_hand);
  for (float& value : by_hand) value = round_to_bf16(value);
  transform_index_vector(values);
  EXPECT_EQ(values, by_hand);
}

}  // namespace
}  // namespace ess
