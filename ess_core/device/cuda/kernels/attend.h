// Absorbed latent attention of query tokens over the rows selected for them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ess_core/base/units.h"
#include "ess_core/device/cuda/kernels/kernel_work.h"
#include "ess_core/device/cuda/kernels/lanes.h"
#include "ess_core/device/cuda/kernels/precision.h"
#include "ess_core/step/row_location.h"

namespace ess::ESS_CUDA {

struct attend_params {
  lane_slice lanes;
  device_rows rows;
  precision terms = precision::f32_like;  // of the query and of the softmax's weights; rows are exact in bf16
  row_addressing addressing = row_addressing::by_location;
  row_part part = row_part::all;  // which locations count; by token all do
  int heads;
  int kv_lora = 512;  // there is code for 512 and 64 only
  int rope = 64;
  int top_k;
  float scale;                    // of the logits
  const float* query;             // [lanes][heads][kv_lora + rope]
  const token_id* selected;       // [lanes][top_k], of the layer; negative = not valid
  const row_location* locations;  // [lanes][top_k]; not read by token
  float* out;                     // [lanes][heads][kv_lora]
  float* lse;             // [lanes][heads], natural logarithm; +inf without a valid row, and zeros in out
  std::uint8_t* scratch;  // attend_scratch_bytes, aligned to 16
};

[[nodiscard]] std::size_t attend_scratch_bytes(const attend_params& params);

// logits = query . row * scale; out = softmax(logits) . latent. Sums run in the order of the valid rows, so
// neither addresses nor what is not valid changes a bit. Scales of rows are powers of two: others are rounded
// to bf16. A NaN in a row makes all of out NaN.
cudaError_t attend(const attend_params& params, cudaStream_t stream);

// If every selected row counts.
[[nodiscard]] kernel_work work_of(const attend_params& params);

}  // namespace ess::ESS_CUDA
