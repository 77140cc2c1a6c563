// Latent rows to their packed form and back, and the rotation of the attention's rotary part. Bit for bit
// what layout/latent_row.h and layout/rope.h do.
#pragma once

#include <cstdint>

namespace ess::cpu {

struct pack_row_params {
  const float* latent;  // [kv_lora]
  const float* rotary;  // [rope]
  int kv_lora;          // multiple of 128
  int rope;             // multiple of 16
  std::uint8_t* row;    // latent_row_format::bytes()
};

struct unpack_row_params {
  const std::uint8_t* row;
  int kv_lora;    // multiple of 128
  int rope;       // multiple of 16
  float* latent;  // [kv_lora]
  float* rotary;  // [rope]
};

void pack_row(const pack_row_params& params);
void unpack_row(const unpack_row_params& params);

// In place; values: [2 * pairs], cos and sin: [pairs]. Pair i is values 2i and 2i + 1.
void rotate_pairs(float* values, const float* cos, const float* sin, int pairs);

}  // namespace ess::cpu
