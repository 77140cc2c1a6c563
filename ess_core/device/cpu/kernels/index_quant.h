// An index query or key on its way to e4m3.
#pragma once

#include <cstdint>

namespace ess::cpu {

struct index_quant_params {
  const float* values;  // [128]
  const float* cos;     // [32], of the token's position
  const float* sin;     // [32]
  std::uint8_t* codes;  // [128] e4m3
};

// Half-split rotation of the first 64 values -> bf16 -> Hadamard * 128^-0.5 -> bf16 -> e4m3 with a
// power-of-two scale, which is returned. Bit for bit what layout/index_key.h does in three calls, but for
// the sign of NaNs.
float quantise_index(const index_quant_params& params);

}  // namespace ess::cpu
