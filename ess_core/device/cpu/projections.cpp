// Dense parts of a step: projections before and after attention, the gated feed-forward, input of a draft
// layer.
#include <algorithm>
#include <cmath>

#include "ess_core/device/cpu/context.h"
#include "ess_core/device/cpu/kernels/elementwise.h"
#include "ess_core/device/cpu/kernels/index_quant.h"
#include "ess_core/device/cpu/kernels/row_quant.h"
#include "ess_core/device/cpu/products.h"

namespace ess::cpu {
namespace {

void make_index_key(context& c, const layer_weights& w, std::int64_t lane, float* key) {
  const int dim = c.model().index_dim;
  layer_norm(key, w.index_k_norm.data(), w.index_k_norm.data() + dim, dim, key);
  const token_id position = c.position_of_lane(lane);
  std::uint8_t* out = c.at<std::uint8_t>(buffer_id::index_key_new, lane * c.model().index_key_bytes().value);
  const float scale =
      quantise_index({.values = key, .cos = c.cos_of(position), .sin = c.sin_of(position), .codes = out});
  std::copy_n(reinterpret_cast<const std::uint8_t*>(&scale), sizeof scale, out + dim);
}

// The query's scale and the constants of the score go into the head's weight.
void make_index_query(context& c, std::int64_t lane, const float* query) {
  const model_dims& m = c.model();
  const token_id position = c.position_of_lane(lane);
  const float constant =
      static_cast<float>(1.0 / std::sqrt(static_cast<double>(m.index_heads) * m.index_dim));
  for (int head = 0; head < m.index_heads; ++head) {
    const std::int64_t at = lane * m.index_heads + head;
    const float scale =
        quantise_index({.values = query + std::ptrdiff_t{head} * m.index_dim,
                        .cos = c.cos_of(position),
                        .sin = c.sin_of(position),
                        .codes = c.at<std::uint8_t>(buffer_id::index_query, at * m.index_dim)});
    *c.at<float>(buffer_id::index_weight, at) *= scale * constant;
  }
}

void make_latent_row(context& c, std::int32_t layer, std::int64_t lane, float* latent) {
  const model_dims& m = c.model();
  const token_id position = c.position_of_lane(lane);
  rms_norm(latent, m.kv_lora, latent);
  rotate_pairs(latent + m.kv_lora, c.cos_of(position), c.sin_of(position), m.rope / 2);
  pack_row({.latent = latent,
            .rotary = latent + m.kv_lora,
            .kv_lora = m.kv_lora,
            .rope = m.rope,
            .row = c.at<std::uint8_t>(buffer_id::latent_new, (layer * c.lanes() + lane) * c.row_bytes())});
}

// Rotary parts of all heads of a lane, from the projected query to the absorbed one.
void rotate_query(context& c, std::int64_t lane, const float* projected) {
  const model_dims& m = c.model();
  const token_id position = c.position_of_lane(lane);
  for (int head = 0; head < m.heads; ++head) {
    float* to = c.at<float>(buffer_id::query, (lane * m.heads + head) * m.absorbed_dim() + m.kv_lora);
    std::copy_n(projected + std::ptrdiff_t{head} * m.query_dim() + m.nope, m.rope, to);
    rotate_pairs(to, c.cos_of(position), c.sin_of(position), m.rope / 2);
  }
}

}  // namespace

void project_index(context& c, const operation& op) {
  const model_dims& m = c.model();
  const layer_weights& w = weights_of(c, op);
  const lane_range lanes = lanes_of(c, op.slice);
  const rows_in x = normed_hidden(c, lanes);
  float* q_resid = c.at<float>(buffer_id::q_resid, lanes.first * m.q_lora);
  product(c, w.q_a, lanes.count, x, {q_resid, m.q_lora});
  float* raw = c.wide_scratch();
  product(c, w.index_k, lanes.count, x, {raw, m.index_dim});
  product(c, w.index_head_weight, lanes.count, x,
          {c.at<float>(buffer_id::index_weight, lanes.first * m.index_heads), m.index_heads});
  c.for_each_lane(op.slice, [&](std::int64_t lane, int) {
    rms_norm(q_resid + (lane - lanes.first) * m.q_lora, m.q_lora, q_resid + (lane - lanes.first) * m.q_lora);
    make_index_key(c, w, lane, raw + (lane - lanes.first) * m.index_dim);
  });
  const std::int64_t width = std::int64_t{m.index_heads} * m.index_dim;
  product(c, w.index_q, lanes.count, {q_resid, m.q_lora}, {raw, width});
  c.for_each_lane(op.slice, [&](std::int64_t lane, int) {
    make_index_query(c, lane, raw + (lane - lanes.first) * width);
  });
}

void project_attention(context& c, const operation& op) {
  const model_dims& m = c.model();
  const layer_weights& w = weights_of(c, op);
  const lane_range lanes = lanes_of(c, op.slice);
  const rows_in x = normed_hidden(c, lanes);
  float* wide = c.wide_scratch();
  product(c, w.kv_a, lanes.count, x, {wide, m.absorbed_dim()});
  c.for_each_lane(op.slice, [&](std::int64_t lane, int) {
    make_latent_row(c, op.layer, lane, wide + (lane - lanes.first) * m.absorbed_dim());
  });
  const std::int64_t width = std::int64_t{m.heads} * m.query_dim();
  product(c, w.q_b, lanes.count, {c.at<float>(buffer_id::q_resid, lanes.first * m.q_lora), m.q_lora},
          {wide, width});
  const std::int64_t pitch = std::int64_t{m.heads} * m.absorbed_dim();
  float* query = c.at<float>(buffer_id::query, lanes.first * pitch);
  c.team.for_each(m.heads, [&](std::int32_t head, int) {
    w.k_up[static_cast<std::size_t>(head)].run(lanes.count, wide + std::ptrdiff_t{head} * m.query_dim(),
                                               width, query + std::ptrdiff_t{head} * m.absorbed_dim(), pitch);
  });
  c.for_each_lane(
      op.slice, [&](std::int64_t lane, int) { rotate_query(c, lane, wide + (lane - lanes.first) * width); });
}

void output(context& c, const operation& op) {
  const model_dims& m = c.model();
  const layer_weights& w = weights_of(c, op);
  const lane_range lanes = lanes_of(c, op.slice);
  const std::int64_t pitch = std::int64_t{m.heads} * m.kv_lora;
  const float* latent = c.at<float>(buffer_id::attention, lanes.first * pitch);
  const std::int64_t width = std::int64_t{m.heads} * m.v;
  float* values = c.narrow_scratch();
  c.team.for_each(m.heads, [&](std::int32_t head, int) {
    w.v_up[static_cast<std::size_t>(head)].run(lanes.count, latent + std::ptrdiff_t{head} * m.kv_lora, pitch,
                                               values + std::ptrdiff_t{head} * m.v, width);
  });
  product(c, w.out, lanes.count, {values, width}, {c.wide_scratch(), m.hidden});
  add_to_hidden(c, lanes, c.wide_scratch());
}

void draft(context& c, const operation& op) {
  const std::int64_t hidden = c.model().hidden;
  const lane_range lanes = lanes_of(c, op.slice);
  float* both = c.narrow_scratch();  // [lane in slice][2][hidden]
  c.team.for_each(lanes.count, [&](std::int32_t i, int) {
    const std::int64_t lane = lanes.first + i;
    rms_norm(c.at<float>(buffer_id::hidden, lane * hidden), hidden, both + 2 * i * hidden);
    rms_norm(c.at<float>(buffer_id::draft_input, lane * hidden), hidden, both + (2 * i + 1) * hidden);
  });
  product(c, weights_of(c, op).draft_in, lanes.count, {both, 2 * hidden},
          {c.at<float>(buffer_id::hidden, lanes.first * hidden), hidden});
}

void feed_forward(context& c, const operation& op) {
  const model_dims& m = c.model();
  const layer_weights& w = weights_of(c, op);
  const lane_range lanes = lanes_of(c, op.slice);
  const rows_in x = normed_hidden(c, lanes);
  const std::int64_t pitch = 2 * std::int64_t{m.dense_width};
  float* gate_up = c.wide_scratch();
  product(c, w.dense.gate_up, lanes.count, x, {gate_up, pitch});
  c.team.for_each(lanes.count, [&](std::int32_t i, int) {
    float* gate = gate_up + i * pitch;
    silu_multiply(gate, gate + m.dense_width, m.dense_width, gate);
  });
  product(c, w.dense.down, lanes.count, {gate_up, pitch}, {c.narrow_scratch(), m.hidden});
  add_to_hidden(c, lanes, c.narrow_scratch());
}

}  // namespace ess::cpu
