// The packed latent row: kv_lora e4m3 values, one f32 scale per 128 of them, then the rotary part in bf16.
// 656 bytes for 512 + 64, the FP8 KV cache format of FlashMLA. Little-endian.
#pragma once

#include <cstdint>
#include <span>

namespace ess {

inline constexpr int latent_tile = 128;  // values that share a scale

struct latent_row_format {
  int kv_lora = 512;
  int rope = 64;

  [[nodiscard]] constexpr int tiles() const { return (kv_lora + latent_tile - 1) / latent_tile; }
  [[nodiscard]] constexpr int scale_offset() const { return kv_lora; }
  [[nodiscard]] constexpr int rotary_offset() const { return kv_lora + 4 * tiles(); }
  [[nodiscard]] constexpr int bytes() const { return rotary_offset() + 2 * rope; }
};

// latent: kv_lora values, rotary: rope values (rounded to bf16 here); row: exactly the bytes of the format
// that these sizes make. The latent is quantised as given: round it to bf16 first to have the bytes that a
// bf16 model would store.
void pack_latent_row(std::span<const float> latent, std::span<const float> rotary,
                     std::span<std::uint8_t> row);

// Multiplies by whatever f32 scales the row holds.
void unpack_latent_row(std::span<const std::uint8_t> row, std::span<float> latent, std::span<float> rotary);

}  // namespace ess
