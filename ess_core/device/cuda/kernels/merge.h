// Two partial attentions over disjoint rows -> the attention over all of them.
#pragma once

#include "ess_core/device/cuda/kernels/lanes.h"

namespace ess::ESS_CUDA {

struct merge_params {
  lane_slice lanes;
  int heads;
  int kv_lora;         // multiple of 4
  float* out;          // [lanes][heads][kv_lora] of the first part; becomes the whole
  float* lse;          // [lanes][heads], natural logarithm, +inf = the part had no row; becomes the whole
  const float* out_2;  // of the second part
  const float* lse_2;
};

// out = sum_i out_i * exp(lse_i - lse). Both parts empty: zeros and +inf. A part without rows is not read.
cudaError_t merge(const merge_params& params, cudaStream_t stream);

}  // namespace ess::ESS_CUDA
