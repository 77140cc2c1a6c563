// Kernels of the benchmarks themselves: values in memory, and the rate of the tensor cores.
#pragma once

#include <cstdint>

#include "ess_core/device/cuda/platform.h"

namespace ess::ESS_CUDA::bench {

// Random words. Of each period the first are four e4m3 codes that are no NaN, those from `codes_end` on are
// `scale`, those from `scales_end` on two bf16 values of 0.5 to 2 and either sign.
struct fill_words_params {
  std::uint32_t* words;
  std::int64_t count;
  std::int32_t period, codes_end, scales_end;
  std::uint32_t scale;
  std::uint32_t seed;
};
cudaError_t fill_words(const fill_words_params& params, cudaStream_t stream);

// Nearly normal, of variance 1/3.
struct fill_floats_params {
  float* values;
  std::int64_t count;
  std::uint32_t seed;
};
cudaError_t fill_floats(const fill_floats_params& params, cudaStream_t stream);

struct product_rate_params {
  float* out;  // [blocks][256]
  std::int32_t blocks, rounds;
};
// Independent products of registers, mma.sync m16n8k16 of bf16.
cudaError_t product_rate(const product_rate_params& params, cudaStream_t stream);
[[nodiscard]] double operations_of(const product_rate_params& params);

}  // namespace ess::ESS_CUDA::bench
