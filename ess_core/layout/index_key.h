// Indexer keys: e4m3 values with one power-of-two f32 scale, kept in pages of 64 tokens: first the 64 keys,
// then the 64 scales (DeepGEMM's paged layout; 8,448 bytes for keys of 128). Little-endian.
#pragma once

#include <cstdint>
#include <span>

namespace ess {

inline constexpr int index_page_tokens = 64;

struct index_page_format {
  int dim = 128;

  [[nodiscard]] constexpr std::int64_t page_bytes() const {
    return index_page_tokens * (dim + std::int64_t{4});
  }
  // Offsets into an array of pages; `token` counts from the start of the first page.
  [[nodiscard]] constexpr std::int64_t key_offset(std::int64_t token) const {
    return token / index_page_tokens * page_bytes() + token % index_page_tokens * dim;
  }
  [[nodiscard]] constexpr std::int64_t scale_offset(std::int64_t token) const {
    return token / index_page_tokens * page_bytes() + index_page_tokens * std::int64_t{dim} +
           token % index_page_tokens * 4;
  }
  // Bytes of the whole pages that hold `tokens`.
  [[nodiscard]] constexpr std::int64_t bytes_for(std::int64_t tokens) const {
    return (tokens + index_page_tokens - 1) / index_page_tokens * page_bytes();
  }
};

// What lies between an index query or key and its codes, in place: half-split rotation of the first 2n values
// (n = size of cos), Hadamard transform of all, each rounded to bf16 as the published model does.
void rotate_index_vector(std::span<float> values, std::span<const float> cos, std::span<const float> sin);
void transform_index_vector(std::span<float> values);

// One index query or key, after rotation and Hadamard, to codes of the same number; returns its scale.
float quantise_index_vector(std::span<const float> values, std::span<std::uint8_t> codes);

// Copies one key between a page array and a contiguous place. The key's size is the format's dim.
void pack_index_key(std::span<const std::uint8_t> key, float scale, std::int64_t token,
                    std::span<std::uint8_t> pages);
// Returns the scale.
float unpack_index_key(std::span<const std::uint8_t> pages, std::int64_t token, std::span<std::uint8_t> key);

}  // namespace ess
