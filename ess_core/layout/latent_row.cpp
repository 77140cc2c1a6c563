#include "ess_core/layout/latent_row.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "ess_core/base/bf16.h"
#include "ess_core/layout/scale.h"

namespace ess {
namespace {

static_assert(std::endian::native == std::endian::little, "rows are written as they lie in memory");

latent_row_format format_of(std::size_t kv_lora, std::size_t rope, std::size_t row) {
  const latent_row_format format{static_cast<int>(kv_lora), static_cast<int>(rope)};
  assert(static_cast<std::size_t>(format.bytes()) == row);
  static_cast<void>(row);
  return format;
}

template <typename value>
std::span<value> tile_of(std::span<value> values, int tile) {
  const auto first = static_cast<std::size_t>(tile) * latent_tile;
  return values.subspan(first, std::min<std::size_t>(latent_tile, values.size() - first));
}

}  // namespace

void pack_latent_row(std::span<const float> latent, std::span<const float> rotary,
                     std::span<std::uint8_t> row) {
  const auto format = format_of(latent.size(), rotary.size(), row.size());
  const auto codes = row.first(latent.size());
  for (int tile = 0; tile < format.tiles(); ++tile) {
    const float scale = quantise_group(tile_of(latent, tile), latent_smallest_exponent, tile_of(codes, tile));
    std::memcpy(&row[format.scale_offset() + 4 * tile], &scale, sizeof scale);
  }
  for (std::size_t i = 0; i < rotary.size(); ++i) {
    const std::uint16_t bits = float_to_bf16(rotary[i]);
    std::memcpy(&row[format.rotary_offset() + 2 * i], &bits, sizeof bits);
  }
}

void unpack_latent_row(std::span<const std::uint8_t> row, std::span<float> latent, std::span<float> rotary) {
  const auto format = format_of(latent.size(), rotary.size(), row.size());
  const auto codes = row.first(latent.size());
  for (int tile = 0; tile < format.tiles(); ++tile) {
    float scale = 0;
    std::memcpy(&scale, &row[format.scale_offset() + 4 * tile], sizeof scale);
    dequantise_group(tile_of(codes, tile), scale, tile_of(latent, tile));
  }
  for (std::size_t i = 0; i < rotary.size(); ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, &row[format.rotary_offset() + 2 * i], sizeof bits);
    rotary[i] = bf16_to_float(bits);
  }
}

}  // namespace ess
