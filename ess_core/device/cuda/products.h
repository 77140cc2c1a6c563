// What projections and feed-forwards have in common: products of lanes with weights, and the hidden state
// before and after them.
#pragma once

#include "ess_core/device/cuda/context.h"
#include "ess_core/device/cuda/kernels/linear.h"

namespace ess::ESS_CUDA {

// The lanes of a slice, as rows of a product.
struct lane_range {
  std::int64_t first;
  int count;
};
[[nodiscard]] lane_range range_of(const context& c, batch_slice slice);

struct rows_in {
  const float* data;
  std::int64_t pitch;
};
struct rows_out {
  float* data;
  std::int64_t pitch;
};

// y = x W^T, or y += it.
void product(const context& c, const packed_weights& w, int rows, rows_in x, rows_out y, const stream& on,
             linear_output output = linear_output::assign);
// Of each head: x and y hold heads side by side, `x_stride` and `y_stride` apart.
void product_by_head(const context& c, const packed_weights& w, int rows, rows_in x, std::int64_t x_stride,
                     rows_out y, std::int64_t y_stride, const stream& on);
// Of each expert: its rows of x and y begin at starts[expert] (on the device).
void product_by_expert(const context& c, const packed_weights& w, int most_rows, const std::int32_t* starts,
                       rows_in x, rows_out y, const stream& on);
// RMS norm of the hidden state of every lane, into the narrow scratch: [lane in slice][hidden].
[[nodiscard]] rows_in normed_hidden(const context& c, lane_range lanes, const stream& on);
[[nodiscard]] rows_out hidden_of(const context& c, lane_range lanes);
// Scratch that any of the products of a layout may need.
[[nodiscard]] std::size_t product_scratch_bytes(const memory_layout& layout);

}  // namespace ess::ESS_CUDA
