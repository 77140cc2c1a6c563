#include "ess_core/layout/index_key.h"

#include <bit>
#include <cassert>
#include <cstring>

#include "ess_core/base/bf16.h"
#include "ess_core/layout/hadamard.h"
#include "ess_core/layout/rope.h"
#include "ess_core/layout/scale.h"

namespace ess {
namespace {

static_assert(std::endian::native == std::endian::little, "pages are written as they lie in memory");

index_page_format format_of(std::size_t dim, std::int64_t token, std::size_t page_array_bytes) {
  const index_page_format format{static_cast<int>(dim)};
  assert(token >= 0 && format.bytes_for(token + 1) <= static_cast<std::int64_t>(page_array_bytes));
  static_cast<void>(token);
  static_cast<void>(page_array_bytes);
  return format;
}

void round_all_to_bf16(std::span<float> values) {
  for (float& value : values) value = round_to_bf16(value);
}

}  // namespace

void rotate_index_vector(std::span<float> values, std::span<const float> cos, std::span<const float> sin) {
  rotate_half_split(values.first(2 * cos.size()), cos, sin);
  round_all_to_bf16(values);
}

void transform_index_vector(std::span<float> values) {
  hadamard_transform(values);
  round_all_to_bf16(values);
}

float quantise_index_vector(std::span<const float> values, std::span<std::uint8_t> codes) {
  return quantise_group(values, index_smallest_exponent, codes);
}

void pack_index_key(std::span<const std::uint8_t> key, float scale, std::int64_t token,
                    std::span<std::uint8_t> pages) {
  const auto format = format_of(key.size(), token, pages.size());
  std::memcpy(&pages[format.key_offset(token)], key.data(), key.size());
  std::memcpy(&pages[format.scale_offset(token)], &scale, sizeof scale);
}

float unpack_index_key(std::span<const std::uint8_t> pages, std::int64_t token, std::span<std::uint8_t> key) {
  const auto format = format_of(key.size(), token, pages.size());
  float scale = 0;
  std::memcpy(key.data(), &pages[format.key_offset(token)], key.size());
  std::memcpy(&scale, &pages[format.scale_offset(token)], sizeof scale);
  return scale;
}

}  // namespace ess
