// What projections and feed-forwards have in common: products of lanes with weights, and the hidden state
// before and after them.
#pragma once

#include "ess_core/device/cpu/context.h"

namespace ess::cpu {

// The lanes of a slice, as rows of a product.
struct lane_range {
  std::int64_t first;
  int count;
};

struct rows_in {
  const float* data;
  std::int64_t pitch;
};
struct rows_out {
  float* data;
  std::int64_t pitch;
};

[[nodiscard]] lane_range lanes_of(const context& c, batch_slice slice);
[[nodiscard]] const layer_weights& weights_of(const context& c, const operation& op);
// y = x W^T, its columns spread over the threads of the compute stream.
void product(context& c, const packed_matrix& w, int rows, rows_in x, rows_out y);
// RMS norm of the hidden state of every lane, into the narrow scratch: [lane in slice][hidden].
[[nodiscard]] rows_in normed_hidden(context& c, lane_range lanes);
// x: [lane in slice][hidden].
void add_to_hidden(context& c, lane_range lanes, const float* x);

}  // namespace ess::cpu
