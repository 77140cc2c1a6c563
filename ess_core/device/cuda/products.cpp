#include "ess_core/device/cuda/products.h"

#include <algorithm>

#include "ess_core/device/cuda/kernels/norms.h"
#include "ess_core/model/weights.h"

namespace ess::ESS_CUDA {
namespace {

linear_params of(const context& c, const packed_weights& w, int rows, rows_in x, rows_out y) {
  return {.weights = reinterpret_cast<const std::uint8_t*>(w.bytes.data()),
          .format = w.format,
          .scale = w.scale,
          .n = w.n,
          .k = w.k,
          .m = rows,
          .x = x.data,
          .ldx = x.pitch,
          .y = y.data,
          .ldy = y.pitch,
          .batch = 1,
          .weights_stride = w.stride,
          .scratch = reinterpret_cast<std::uint8_t*>(c.linear_scratch.data())};
}

}  // namespace

lane_range range_of(const context& c, batch_slice slice) {
  return {std::int64_t{slice.first} * c.queries(), slice.count * c.queries()};
}

void product(const context& c, const packed_weights& w, int rows, rows_in x, rows_out y, const stream& on,
             linear_output output) {
  linear_params p = of(c, w, rows, x, y);
  p.output = output;
  check("launch of linear", linear(p, on.get()));
}

void product_by_head(const context& c, const packed_weights& w, int rows, rows_in x, std::int64_t x_stride,
                     rows_out y, std::int64_t y_stride, const stream& on) {
  linear_params p = of(c, w, rows, x, y);
  p.batch = w.count;
  p.x_stride = x_stride;
  p.y_stride = y_stride;
  check("launch of linear by head", linear(p, on.get()));
}

void product_by_expert(const context& c, const packed_weights& w, int most_rows, const std::int32_t* starts,
                       rows_in x, rows_out y, const stream& on) {
  linear_params p = of(c, w, most_rows, x, y);
  p.batch = w.count;
  p.starts = starts;
  check("launch of linear by expert", linear(p, on.get()));
}

rows_out hidden_of(const context& c, lane_range lanes) {
  const std::int64_t hidden = c.model().hidden;
  return {c.at<float>(buffer_id::hidden, lanes.first * hidden), hidden};
}

rows_in normed_hidden(const context& c, lane_range lanes, const stream& on) {
  const rows_out hidden = hidden_of(c, lanes);
  check("launch of rms_norm", rms_norm({.x = hidden.data,
                                        .x_pitch = hidden.pitch,
                                        .out = c.narrow_scratch(),
                                        .out_pitch = hidden.pitch,
                                        .rows = lanes.count,
                                        .n = c.model().hidden},
                                       on.get()));
  return {c.narrow_scratch(), hidden.pitch};
}

std::size_t product_scratch_bytes(const memory_layout& l) {
  const model_dims& m = l.model;
  const int lanes = l.shape.seats * l.shape.query_tokens;
  std::size_t most = 0;
  const auto consider = [&](std::int64_t n, std::int64_t k, int rows, int batch, bool by_expert) {
    static constexpr std::int32_t some_starts = 0;
    if (n == 0 || k == 0 || batch == 0) return;
    const linear_params p{.n = static_cast<int>(n),
                          .k = static_cast<int>(k),
                          .m = rows,
                          .batch = batch,
                          .starts = by_expert ? &some_starts : nullptr};
    most = std::max(most, linear_scratch_bytes(p));
  };
  for (int k = 0; k < weight_kind_count; ++k) {
    const auto kind = static_cast<weight_kind>(k);
    if (kind == weight_kind::index_k_norm || kind == weight_kind::router_bias) continue;
    const matrix_shape shape = shape_of(m, kind);
    switch (kind) {
      case weight_kind::k_up:
        consider(m.kv_lora, m.nope, lanes, m.heads, false);
        break;
      case weight_kind::v_up:
        consider(m.v, m.kv_lora, lanes, m.heads, false);
        break;
      case weight_kind::expert_gate_up:
      case weight_kind::expert_down:
        consider(shape.rows, shape.columns, lanes, m.moe.experts, true);
        break;
      default:
        consider(shape.rows, shape.columns, lanes, 1, false);
    }
  }
  return most;
}

}  // namespace ess::ESS_CUDA
