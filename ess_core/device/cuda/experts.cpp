// A mixture of experts: the router, lanes to their experts, the experts' feed-forwards, and back.
#include "ess_core/device/cuda/expert_journey.h"
#include "ess_core/device/cuda/kernels/choose_experts.h"
#include "ess_core/device/cuda/kernels/norms.h"
#include "ess_core/device/cuda/products.h"

namespace ess::ESS_CUDA {
namespace {

// Rows of a slice in expert_input and expert_output: those of routed experts, then of the shared one.
struct grouped_rows {
  std::int64_t first;
  int routed;
  int shared;
  std::int32_t* starts;  // [experts + 2]
};

grouped_rows rows_of(const context& c, batch_slice slice) {
  const model_dims& m = c.model();
  const lane_range lanes = range_of(c, slice);
  return {.first = lanes.first * m.experts_per_token(),
          .routed = lanes.count * m.moe.top_k,
          .shared = m.moe.shared_experts > 0 ? lanes.count : 0,
          .starts =
              c.at<std::int32_t>(buffer_id::expert_starts, std::int64_t{slice.first} * (m.moe.experts + 2))};
}

void activate(float* gate_up, int rows, int width, const stream& on) {
  if (rows == 0) return;
  check("launch of silu_multiply", silu_multiply({.gate_up = gate_up,
                                                  .pitch = 2 * std::int64_t{width},
                                                  .out = gate_up,
                                                  .out_pitch = 2 * std::int64_t{width},
                                                  .rows = rows,
                                                  .width = width},
                                                 on.get()));
}

}  // namespace

void route(context& c, const operation& op, const stream& on) {
  const model_dims& m = c.model();
  const layer_weights& w = c.weights_of(op);
  const lane_range lanes = range_of(c, op.slice);
  const rows_in x = normed_hidden(c, lanes, on);
  product(c, w.router, lanes.count, x,
          {c.at<float>(buffer_id::router_scores, lanes.first * m.moe.experts), m.moe.experts}, on);
  check("launch of choose_experts",
        choose_experts({.lanes = c.lanes_of(op.slice),
                        .experts = m.moe.experts,
                        .top_k = m.moe.top_k,
                        .groups = m.moe.groups,
                        .top_groups = m.moe.top_groups,
                        .routed_scale = m.moe.routed_scale,
                        .scores = c.at<float>(buffer_id::router_scores),
                        .bias = reinterpret_cast<const float*>(w.router_bias.data()),
                        .choice = c.at<expert_choice>(buffer_id::expert_choice)},
                       on.get()));
}

void dispatch(context& c, const operation& op, const stream& on) {
  const model_dims& m = c.model();
  check("launch of group_by_expert", group_by_expert({.lanes = c.lanes_of(op.slice),
                                                      .experts = m.moe.experts,
                                                      .top_k = m.moe.top_k,
                                                      .shared = m.moe.shared_experts > 0,
                                                      .choice = c.at<expert_choice>(buffer_id::expert_choice),
                                                      .starts = rows_of(c, op.slice).starts,
                                                      .rows = c.at<std::int32_t>(buffer_id::expert_rows)},
                                                     on.get()));
  const bool journey = op.stream == stream_id::network;
  const rows_in x = journey ? normed_for_journey(c, range_of(c, op.slice), on)
                            : normed_hidden(c, range_of(c, op.slice), on);
  check("launch of scatter_to_experts",
        scatter_to_experts({.lanes = c.lanes_of(op.slice),
                            .copies = m.experts_per_token(),
                            .hidden = m.hidden,
                            .x = x.data,
                            .x_pitch = x.pitch,
                            .rows = c.at<std::int32_t>(buffer_id::expert_rows),
                            .expert_input = c.at<float>(buffer_id::expert_input)},
                           on.get()));
  if (journey) send_to_experts(c, op.slice, on);
}

// Inner vectors, gate first, lie in the wide scratch by row: routed ones, then those of the shared expert.
void run_experts(context& c, const operation& op, const stream& on) {
  const model_dims& m = c.model();
  const layer_weights& w = c.weights_of(op);
  const grouped_rows g = rows_of(c, op.slice);
  const std::int64_t hidden = m.hidden;
  const std::int64_t pitch = 2 * std::int64_t{m.moe.width};
  const int lanes = range_of(c, op.slice).count;
  const routed_work routed = c.ranks == nullptr
                                 ? routed_work{.first = g.first, .rows = g.routed, .starts = {g.starts}}
                                 : arrived_work(c, op.slice);
  // Rows are counted from the first of all slices; the scratch begins with the slice's.
  float* inner = c.wide_scratch() - routed.first * pitch;
  for (const std::int32_t* starts : routed.starts) {
    product_by_expert(c, w.experts.gate_up, lanes, starts, {c.at<float>(buffer_id::expert_input), hidden},
                      {inner, pitch}, on);
  }
  activate(c.wide_scratch(), routed.rows, m.moe.width, on);
  for (const std::int32_t* starts : routed.starts) {
    product_by_expert(c, w.experts.down, lanes, starts, {inner, pitch},
                      {c.at<float>(buffer_id::expert_output), hidden}, on);
  }
  c.traffic.rows_here += routed.rows;
  if (g.shared == 0) return;
  const std::int64_t row = (g.first + g.routed) * hidden;
  const std::int64_t shared_pitch = 2 * std::int64_t{m.shared_width()};
  float* shared_inner = c.wide_scratch() + routed.rows * pitch;
  product(c, w.shared.gate_up, g.shared, {c.at<float>(buffer_id::expert_input, row), hidden},
          {shared_inner, shared_pitch}, on);
  activate(shared_inner, g.shared, m.shared_width(), on);
  product(c, w.shared.down, g.shared, {shared_inner, shared_pitch},
          {c.at<float>(buffer_id::expert_output, row), hidden}, on);
}

void combine(context& c, const operation& op, const stream& on) {
  const model_dims& m = c.model();
  if (op.stream == stream_id::network) bring_back(c, op.slice, on);
  check("launch of combine_experts", combine_experts({.lanes = c.lanes_of(op.slice),
                                                      .top_k = m.moe.top_k,
                                                      .shared = m.moe.shared_experts > 0,
                                                      .hidden = m.hidden,
                                                      .choice = c.at<expert_choice>(buffer_id::expert_choice),
                                                      .rows = c.at<std::int32_t>(buffer_id::expert_rows),
                                                      .expert_output = c.at<float>(buffer_id::expert_output),
                                                      .y = c.at<float>(buffer_id::hidden)},
                                                     on.get()));
}

}  // namespace ess::ESS_CUDA
