// y = x W^T for few rows of x: what bounds it is the reading of W.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ess_core/device/cuda/kernels/kernel_work.h"
#include "ess_core/device/cuda/kernels/linear_pack.h"
#include "ess_core/device/cuda/kernels/precision.h"

namespace ess::ESS_CUDA {

enum class linear_output : std::uint8_t { assign, add };

// One product, `batch` products of different weights (strides apart), or, with `starts`, experts: product e
// then takes rows starts[e] .. starts[e + 1] of x and y.
struct linear_params {
  const std::uint8_t* weights;  // of pack_linear, aligned to 16
  weight_format format = weight_format::bf16;
  linear_output output = linear_output::assign;
  precision terms = precision::f32_like;  // of x
  float scale = 1;                        // of the weights
  const float* scales = nullptr;          // [batch], instead of `scale`; or null
  int n;                                  // columns of y, rows of W
  int k;                                  // columns of x and W
  int m;                                  // rows of x and y; with `starts`, the most that an expert may have
  int row_tiles = 0;  // of 8 rows, that a pass takes: 1, 2, 4, 8; 0 = as fills the device. Changes no bit
  const float* x;     // [m][k]; quickest if aligned to 16 bytes, as are its strides
  std::int64_t ldx;   // in elements, as all strides but that of the weights
  float* y;           // [m][n]; never x's memory
  std::int64_t ldy;
  int batch = 1;
  std::int64_t weights_stride = 0;       // bytes, multiple of 16
  std::int64_t x_stride = 0;             // between products; not used with `starts`
  std::int64_t y_stride = 0;             // the same
  const std::int32_t* starts = nullptr;  // [batch + 1] or null
  std::uint8_t* scratch = nullptr;       // linear_scratch_bytes, aligned to 16; may be null for 0 bytes
};

// Memory for partial sums. Its first linear_counter_bytes are zero before the first launch; every launch
// leaves them so. Launches that may run at the same time need their own.
inline constexpr std::size_t linear_counter_bytes = 65536;
[[nodiscard]] std::size_t linear_scratch_bytes(const linear_params& params);

// A sum's order depends on n, k and batch only: a row comes out the same, bit for bit, whatever m and its
// neighbours.
cudaError_t linear(const linear_params& params, cudaStream_t stream);

[[nodiscard]] kernel_work work_of(const linear_params& params);
// With `starts`: of `rows` rows in all for `experts` different experts.
[[nodiscard]] kernel_work work_of(const linear_params& params, double rows, double experts);

}  // namespace ess::ESS_CUDA
