#include <bit>
#include <cmath>
#include <limits>

#include "ess_core/device/cpu/kernels/index_quant.h"
#include "ess_core/device/cpu/kernels/row_quant.h"
#include "ess_core/device/cpu/kernels/tests/test_data.h"
#include "ess_core/layout/rope.h"

namespace ess::cpu {
namespace {

constexpr float inf = std::numeric_limits<float>::infinity();

struct index_result {
  std::vector<std::uint8_t> codes = std::vector<std::uint8_t>(128);
  float scale = 0;
};

struct rotation {
  std::vector<float> cos = std::vector<float>(32);
  std::vector<float> sin = std::vector<float>(32);

  explicit rotation(token_id position) {
    rope_cos_sin(rope_inverse_frequencies({}, 64), position, std::span(cos), std::span(sin));
  }
};

index_result by_layout(std::vector<float> values, const rotation& r) {
  index_result result;
  rotate_index_vector(values, r.cos, r.sin);
  transform_index_vector(values);
  result.scale = quantise_index_vector(values, result.codes);
  return result;
}

index_result by_kernel(const std::vector<float>& values, const rotation& r) {
  index_result result;
  result.scale = quantise_index(
      {.values = values.data(), .cos = r.cos.data(), .sin = r.sin.data(), .codes = result.codes.data()});
  return result;
}

// The sign of a NaN says nothing, and operands of an addition may swap.
std::vector<std::uint8_t> without_nan_signs(std::vector<std::uint8_t> codes) {
  for (std::uint8_t& code : codes)
    if (code == 0xff) code = 0x7f;
  return codes;
}

void expect_same_index(const std::vector<float>& values, const rotation& r) {
  const auto expected = by_layout(values, r);
  const auto got = by_kernel(values, r);
  ASSERT_EQ(without_nan_signs(got.codes), without_nan_signs(expected.codes));
  ASSERT_EQ(got.scale, expected.scale);
}

TEST(index_quant, equals_the_layout_bit_for_bit) {
  for (std::uint32_t i = 0; i < 300; ++i) {
    const float factor = std::ldexp(1.0f, static_cast<int>(i % 60) - 40);
    expect_same_index(test::random_floats(128, i, factor), rotation(static_cast<token_id>(i * 501)));
  }
}

TEST(index_quant, special_values_too) {
  for (const float special : {0.0f, -0.0f, inf, -inf, NAN, 1e-40f, 3e38f}) {
    auto values = test::random_floats(128, 1);
    values[3] = special;
    expect_same_index(values, rotation(5));
    values[100] = special;
    expect_same_index(values, rotation(5));
    expect_same_index(std::vector<float>(128, special), rotation(0));
  }
}

struct row_case {
  latent_row_format format;
  std::vector<float> latent;
  std::vector<float> rotary;
};

std::vector<std::uint8_t> packed_by_layout(const row_case& c) {
  std::vector<std::uint8_t> row(c.format.bytes());
  pack_latent_row(c.latent, c.rotary, row);
  return row;
}

std::vector<std::uint8_t> packed_by_kernel(const row_case& c) {
  std::vector<std::uint8_t> row(c.format.bytes());
  pack_row({.latent = c.latent.data(),
            .rotary = c.rotary.data(),
            .kv_lora = c.format.kv_lora,
            .rope = c.format.rope,
            .row = row.data()});
  return row;
}

row_case random_case(latent_row_format format, std::uint32_t stream, float factor) {
  return {format, test::random_floats(format.kv_lora, stream, factor),
          test::random_floats(format.rope, stream + 1, factor)};
}

TEST(row_quant, packs_as_the_layout_bit_for_bit) {
  for (std::uint32_t i = 0; i < 200; ++i) {
    const latent_row_format format = i % 3 == 0 ? latent_row_format{128, 16} : latent_row_format{};
    const row_case c = random_case(format, i, std::ldexp(1.0f, static_cast<int>(i % 50) - 35));
    ASSERT_EQ(packed_by_kernel(c), packed_by_layout(c)) << i;
  }
}

TEST(row_quant, packs_special_values_as_the_layout) {
  for (const float special : {0.0f, -0.0f, inf, -inf, NAN, -NAN, 1e-40f, 3.4e38f, 448.0f, 464.0f}) {
    row_case c = random_case({}, 3, 1.0f);
    c.latent[200] = c.rotary[5] = special;
    ASSERT_EQ(packed_by_kernel(c), packed_by_layout(c)) << special;
    std::ranges::fill(c.latent, special);
    ASSERT_EQ(packed_by_kernel(c), packed_by_layout(c)) << special;
  }
}

// A tile whose scale is 1 (its amax is 448) shows the rounding of every value between two codes.
TEST(row_quant, rounds_as_the_layout) {
  const counter_rng rng(1, purpose::microbenchmark);
  for (int i = 0; i < 200; ++i) {
    row_case c = random_case({128, 16}, 1, 1.0f);
    for (int j = 0; j < 128; ++j) {
      const auto code = static_cast<std::uint32_t>(rng.below(126, i * 256 + 2 * j));
      const float low = std::bit_cast<float>((code + (120u << 3)) << 20);
      const float steps[] = {0.0f, 0.25f, 0.5f, 0.75f};
      c.latent[j] = low * (1.0f + 0.125f * steps[rng.below(4, i * 256 + 2 * j + 1)]);
      if (code < 16) c.latent[j] = static_cast<float>(code) * 0x1p-10f;  // between subnormals
      if (j % 2 != 0) c.latent[j] = -c.latent[j];
    }
    c.latent[0] = 448.0f;
    ASSERT_EQ(packed_by_kernel(c), packed_by_layout(c));
  }
}

void expect_same_unpacked(const std::vector<std::uint8_t>& row, latent_row_format format) {
  std::vector<float> latent(format.kv_lora), rotary(format.rope), expected_latent = latent,
                                                                  expected_rotary = rotary;
  unpack_latent_row(row, expected_latent, expected_rotary);
  unpack_row({.row = row.data(),
              .kv_lora = format.kv_lora,
              .rope = format.rope,
              .latent = latent.data(),
              .rotary = rotary.data()});
  ASSERT_TRUE(test::same_bits(latent, expected_latent));
  ASSERT_TRUE(test::same_bits(rotary, expected_rotary));
}

TEST(row_quant, unpacks_every_code_with_any_scale) {
  const latent_row_format format;
  std::vector<std::uint8_t> row(format.bytes());
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = static_cast<std::uint8_t>(i);
  for (const bool with_nan : {false, true}) {
    for (std::size_t i = 0; i < 512; ++i)
      if (!with_nan && (row[i] & 0x7f) == 0x7f) row[i] = 1;
    for (const float scale : {1.0f, 0.0f, 0x1p-13f, 0.3f, 1e30f, 1e-38f, -2.0f}) {
      for (int tile = 0; tile < 4; ++tile) std::memcpy(&row[format.scale_offset() + 4 * tile], &scale, 4);
      expect_same_unpacked(row, format);
    }
    for (std::size_t i = 0; i < 512; ++i) row[i] = static_cast<std::uint8_t>(i);
  }
}

TEST(row_quant, rotates_as_the_layout) {
  const rotation r(777);
  auto values = test::random_floats(64, 1);
  auto expected = values;
  rotate_interleaved(std::span(expected), std::span<const float>(r.cos), std::span<const float>(r.sin));
  rotate_pairs(values.data(), r.cos.data(), r.sin.data(), 32);
  EXPECT_TRUE(test::same_bits(values, expected));
}

}  // namespace
}  // namespace ess::cpu
