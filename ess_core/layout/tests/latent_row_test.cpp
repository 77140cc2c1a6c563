#include "ess_core/layout/latent_row.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "ess_core/base/bf16.h"
#include "ess_core/base/e4m3.h"
#include "ess_core/model/presets.h"

namespace ess {
namespace {

std::vector<float> wave(int size, float amplitude) {
  std::vector<float> values(static_cast<std::size_t>(size));
  for (int i = 0; i < size; ++i) values[i] = amplitude * std::sin(0.7f * static_cast<float>(i) + 1.0f);
  return values;
}

float scale_of(std::span<const std::uint8_t> row, int tile) {
  float scale = 0;
  std::memcpy(&scale, &row[latent_row_format{}.scale_offset() + 4 * tile], sizeof scale);
  return scale;
}

void set_scale(std::span<std::uint8_t> row, int tile, float scale) {
  std::memcpy(&row[latent_row_format{}.scale_offset() + 4 * tile], &scale, sizeof scale);
}

TEST(latent_row_format, is_656_bytes_for_512_and_64) {
  constexpr latent_row_format row;
  static_assert(row.bytes() == 656 && row.scale_offset() == 512 && row.rotary_offset() == 528);
  constexpr latent_row_format odd{.kv_lora = 192, .rope = 16};
  static_assert(odd.tiles() == 2 && odd.bytes() == 192 + 8 + 32);
}

TEST(latent_row_format, agrees_with_the_byte_count_of_every_preset) {
  for (const auto name : model_preset_names()) {
    const auto model = *find_model_preset(name);
    EXPECT_EQ((latent_row_format{model.kv_lora, model.rope}.bytes()), model.latent_row_bytes().value) << name;
  }
}

TEST(latent_row, scales_each_tile_on_its_own) {
  std::vector<float> latent(512, 0.0f);
  latent[5] = 448.0f;
  latent[128] = 449.0f;
  latent[300] = -0.5f;
  std::vector<std::uint8_t> row(656);
  pack_latent_row(latent, wave(64, 1.0f), row);
  EXPECT_EQ(scale_of(row, 0), 1.0f);
  EXPECT_EQ(scale_of(row, 1), 2.0f);
  EXPECT_EQ(scale_of(row, 2), 0x1p-9f);
  EXPECT_EQ(scale_of(row, 3), 0x1p-13f);  // a tile of zeros has the smallest scale, not zero
  EXPECT_EQ(row[5], 0x7e);
  EXPECT_EQ(row[300], float_to_e4m3(-256.0f));
}

TEST(latent_row, comes_back_the_same_once_quantised) {
  std::vector<std::uint8_t> row(656), again(656);
  std::vector<float> latent(512), rotary(64);
  pack_latent_row(wave(512, 30.0f), wave(64, 2.0f), row);
  unpack_latent_row(row, latent, rotary);
  pack_latent_row(latent, rotary, again);
  EXPECT_EQ(row, again);
  EXPECT_EQ(rotary[7], round_to_bf16(wave(64, 2.0f)[7]));
}

TEST(latent_row, is_read_with_whatever_scale_it_holds) {
  std::vector<std::uint8_t> row(656);
  std::vector<float> latent(512), rotary(64);
  pack_latent_row(wave(512, 30.0f), wave(64, 2.0f), row);
  const float scales[] = {0.3f, -1.7e-3f, 0.0f, 1e20f};
  for (int tile = 0; tile < 4; ++tile) set_scale(row, tile, scales[tile]);
  unpack_latent_row(row, latent, rotary);
  for (int i = 0; i < 512; ++i) EXPECT_EQ(latent[i], e4m3_to_float(row[i]) * scales[i / 128]) << i;
}

TEST(latent_row, last_tile_may_be_partial_and_its_scale_unaligned) {
  std::vector<std::uint8_t> row(latent_row_format{.kv_lora = 129, .rope = 2}.bytes());
  std::vector<float> latent(129, 1.0f), rotary = {3.0f, -4.0f};
  latent[128] = 1000.0f;
  pack_latent_row(latent, rotary, row);
  std::vector<float> latent_back(129), rotary_back(2);
  unpack_latent_row(row, latent_back, rotary_back);
  EXPECT_EQ(latent_back[0], 1.0f);
  EXPECT_EQ(latent_back[128], 4.0f * e4m3_to_float(float_to_e4m3(250.0f)));
  EXPECT_EQ(rotary_back, rotary);
}

}  // namespace
}  // namespace ess
