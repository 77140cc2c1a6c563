// Absorbed attention of one query token over packed latent rows.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ess::cpu {

struct attend_params {
  const float* query;               // [heads][kv_lora + rope]
  const std::uint8_t* const* rows;  // [n] packed rows, see layout/latent_row.h; nullptr = not valid
  std::int64_t n;
  int heads;
  int kv_lora;    // multiple of 16
  int rope;       // multiple of 16
  float scale;    // of the logits
  float* out;     // [heads][kv_lora]
  float* lse;     // [heads], natural logarithm; +inf without a valid row, and zeros in out
  void* scratch;  // attend_scratch_bytes, aligned to 64
};

// logits = query . row * scale; out = softmax(logits) . latent. The sums run in the order of the valid rows,
// so neither addresses nor nullptrs in between change a bit. A NaN in a row makes all of out NaN. Throws
// std::invalid_argument for sizes that it has no code for.
void attend(const attend_params& params);
[[nodiscard]] std::size_t attend_scratch_bytes(int heads, int kv_lora, int rope);

}  // namespace ess::cpu
