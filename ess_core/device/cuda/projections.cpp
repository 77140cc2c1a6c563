// Dense parts of a step: projections before and after attention, the gated feed-forward, input of a draft
// layer.
#include "ess_core/device/cuda/kernels/index_codec.h"
#include "ess_core/device/cuda/kernels/norms.h"
#include "ess_core/device/cuda/kernels/row_codec.h"
#include "ess_core/device/cuda/products.h"

namespace ess::ESS_CUDA {

void project_index(context& c, const operation& op, const stream& on) {
  const model_dims& m = c.model();
  const layer_weights& w = c.weights_of(op);
  const lane_range lanes = range_of(c, op.slice);
  const rows_in x = normed_hidden(c, lanes, on);
  float* q_resid = c.at<float>(buffer_id::q_resid, lanes.first * m.q_lora);
  product(c, w.q_a, lanes.count, x, {q_resid, m.q_lora}, on);
  product(c, w.index_k, lanes.count, x, {c.wide_scratch(), m.index_dim}, on);
  float* weight = c.at<float>(buffer_id::index_weight, lanes.first * m.index_heads);
  product(c, w.index_head_weight, lanes.count, x, {weight, m.index_heads}, on);
  check("launch of rms_norm", rms_norm({.x = q_resid,
                                        .x_pitch = m.q_lora,
                                        .out = q_resid,
                                        .out_pitch = m.q_lora,
                                        .rows = lanes.count,
                                        .n = m.q_lora},
                                       on.get()));
  check("launch of index_keys", index_keys({.lanes = c.lanes_of(op.slice),
                                            .rotation = c.rotation(),
                                            .raw = c.wide_scratch(),
                                            .raw_pitch = m.index_dim,
                                            .norm = reinterpret_cast<const float*>(w.index_k_norm.data()),
                                            .keys = c.at<std::uint8_t>(buffer_id::index_key_new)},
                                           on.get()));
  const std::int64_t width = std::int64_t{m.index_heads} * m.index_dim;
  product(c, w.index_q, lanes.count, {q_resid, m.q_lora}, {c.wide_scratch(), width}, on);
  check("launch of index_queries", index_queries({.lanes = c.lanes_of(op.slice),
                                                  .rotation = c.rotation(),
                                                  .heads = m.index_heads,
                                                  .raw = c.wide_scratch(),
                                                  .raw_pitch = width,
                                                  .queries = c.at<std::uint8_t>(buffer_id::index_query),
                                                  .weight = c.at<float>(buffer_id::index_weight)},
                                                 on.get()));
}

void project_attention(context& c, const operation& op, const stream& on) {
  const model_dims& m = c.model();
  const layer_weights& w = c.weights_of(op);
  const lane_range lanes = range_of(c, op.slice);
  const rows_in x = normed_hidden(c, lanes, on);
  product(c, w.kv_a, lanes.count, x, {c.wide_scratch(), m.absorbed_dim()}, on);
  check("launch of latent_rows", latent_rows({.lanes = c.lanes_of(op.slice),
                                              .rotation = c.rotation(),
                                              .kv_lora = m.kv_lora,
                                              .rope = m.rope,
                                              .raw = c.wide_scratch(),
                                              .raw_pitch = m.absorbed_dim(),
                                              .rows = c.latent_new_of(op.layer),
                                              .row_bytes = c.row_bytes()},
                                             on.get()));
  const std::int64_t width = std::int64_t{m.heads} * m.query_dim();
  const float* q_resid = c.at<float>(buffer_id::q_resid, lanes.first * m.q_lora);
  product(c, w.q_b, lanes.count, {q_resid, m.q_lora}, {c.wide_scratch(), width}, on);
  const std::int64_t pitch = std::int64_t{m.heads} * m.absorbed_dim();
  product_by_head(c, w.k_up, lanes.count, {c.wide_scratch(), width}, m.query_dim(),
                  {c.at<float>(buffer_id::query, lanes.first * pitch), pitch}, m.absorbed_dim(), on);
  check("launch of rotate_query", rotate_query({.lanes = c.lanes_of(op.slice),
                                                .rotation = c.rotation(),
                                                .heads = m.heads,
                                                .nope = m.nope,
                                                .kv_lora = m.kv_lora,
                                                .rope = m.rope,
                                                .projected = c.wide_scratch(),
                                                .pitch = width,
                                                .query = c.at<float>(buffer_id::query)},
                                               on.get()));
}

void output(context& c, const operation& op, const stream& on) {
  const model_dims& m = c.model();
  const layer_weights& w = c.weights_of(op);
  const lane_range lanes = range_of(c, op.slice);
  const std::int64_t pitch = std::int64_t{m.heads} * m.kv_lora;
  const std::int64_t width = std::int64_t{m.heads} * m.v;
  product_by_head(c, w.v_up, lanes.count, {c.at<float>(buffer_id::attention, lanes.first * pitch), pitch},
                  m.kv_lora, {c.narrow_scratch(), width}, m.v, on);
  product(c, w.out, lanes.count, {c.narrow_scratch(), width}, hidden_of(c, lanes), on, linear_output::add);
}

void draft(context& c, const operation& op, const stream& on) {
  const std::int64_t hidden = c.model().hidden;
  const lane_range lanes = range_of(c, op.slice);
  float* both = c.narrow_scratch();  // [lane in slice][2][hidden]
  for (const buffer_id from : {buffer_id::hidden, buffer_id::draft_input}) {
    check("launch of rms_norm", rms_norm({.x = c.at<float>(from, lanes.first * hidden),
                                          .x_pitch = hidden,
                                          .out = both + (from == buffer_id::hidden ? 0 : hidden),
                                          .out_pitch = 2 * hidden,
                                          .rows = lanes.count,
                                          .n = c.model().hidden},
                                         on.get()));
  }
  product(c, c.weights_of(op).draft_in, lanes.count, {both, 2 * hidden}, hidden_of(c, lanes), on);
}

void feed_forward(context& c, const operation& op, const stream& on) {
  const model_dims& m = c.model();
  const layer_weights& w = c.weights_of(op);
  const lane_range lanes = range_of(c, op.slice);
  const rows_in x = normed_hidden(c, lanes, on);
  const std::int64_t pitch = 2 * std::int64_t{m.dense_width};
  product(c, w.dense.gate_up, lanes.count, x, {c.wide_scratch(), pitch}, on);
  check("launch of silu_multiply", silu_multiply({.gate_up = c.wide_scratch(),
                                                  .pitch = pitch,
                                                  .out = c.wide_scratch(),
                                                  .out_pitch = pitch,
                                                  .rows = lanes.count,
                                                  .width = m.dense_width},
                                                 on.get()));
  product(c, w.dense.down, lanes.count, {c.wide_scratch(), pitch}, hidden_of(c, lanes), on,
          linear_output::add);
}

}  // namespace ess::ESS_CUDA
