#include "ess_core/device/cpu/products.h"

#include "ess_core/device/cpu/kernels/elementwise.h"

namespace ess::cpu {

lane_range lanes_of(const context& c, batch_slice slice) {
  return {std::int64_t{slice.first} * c.queries(), slice.count * c.queries()};
}

const layer_weights& weights_of(const context& c, const operation& op) {
  return c.weights->layers[static_cast<std::size_t>(op.layer)];
}

void product(context& c, const packed_matrix& w, int rows, rows_in x, rows_out y) {
  c.team.for_each(w.panels(), [&](std::int32_t panel, int) {
    w.run_panels(panel, 1, rows, x.data, x.pitch, y.data, y.pitch);
  });
}

rows_in normed_hidden(context& c, lane_range lanes) {
  const std::int64_t hidden = c.model().hidden;
  float* out = c.narrow_scratch();
  c.team.for_each(lanes.count, [&](std::int32_t i, int) {
    rms_norm(c.at<float>(buffer_id::hidden, (lanes.first + i) * hidden), hidden, out + i * hidden);
  });
  return {out, hidden};
}

void add_to_hidden(context& c, lane_range lanes, const float* x) {
  const std::int64_t hidden = c.model().hidden;
  c.team.for_each(lanes.count, [&](std::int32_t i, int) {
    add(x + i * hidden, hidden, c.at<float>(buffer_id::hidden, (lanes.first + i) * hidden));
  });
}

}  // namespace ess::cpu
