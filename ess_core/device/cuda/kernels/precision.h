// How many bf16 terms stand for an f32 operand of a tensor-core product.
#pragma once

#include <cstdint>

#include "ess_core/device/cuda/platform.h"

namespace ess::ESS_CUDA {

enum class precision : std::uint8_t {
  f32_like,  // two: x = high + low, 2^-17 of x is lost
  bf16,      // one
};

}  // namespace ess::ESS_CUDA
