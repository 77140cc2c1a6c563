// A mixture of experts: the router, tokens to their experts, the experts' feed-forwards, and back.
//
// A row of a product does not depend on the rows beside it (kernels/gemm.h), and a lane's results are summed
// by ascending id of the expert on the lane itself. So what a lane gets depends neither on who shares its
// experts nor on threads.
#include <algorithm>

#include "ess_core/device/cpu/kernels/choose_experts.h"
#include "ess_core/device/cpu/kernels/elementwise.h"
#include "ess_core/device/cpu/products.h"

namespace ess::cpu {
namespace {

// Rows of a slice in expert_input and expert_output: those of routed experts, then of the shared one.
struct grouped_rows {
  std::int64_t first;
  std::int64_t routed;
  std::int64_t shared;
  const std::int32_t* starts;  // [experts + 2]
};

grouped_rows rows_of(const context& c, batch_slice slice) {
  const model_dims& m = c.model();
  const lane_range lanes = lanes_of(c, slice);
  return {.first = lanes.first * m.experts_per_token(),
          .routed = std::int64_t{lanes.count} * m.moe.top_k,
          .shared = m.moe.shared_experts > 0 ? lanes.count : 0,
          .starts =
              c.at<std::int32_t>(buffer_id::expert_starts, std::int64_t{slice.first} * (m.moe.experts + 2))};
}

// Where the inner vector of a row lies in the wide scratch, gate first: [row][2 x width of its expert].
rows_out inner_of(const context& c, const grouped_rows& g, std::int64_t row) {
  const std::int64_t routed_pitch = 2 * std::int64_t{c.model().moe.width};
  const std::int64_t shared_pitch = 2 * std::int64_t{c.model().shared_width()};
  const std::int64_t at = row - g.first;
  if (at < g.routed) return {c.wide_scratch() + at * routed_pitch, routed_pitch};
  return {c.wide_scratch() + g.routed * routed_pitch + (at - g.routed) * shared_pitch, shared_pitch};
}

// Calls work(expert's weights, panel of `matrix`, first row, rows) for the experts that have rows.
template <class Work>
void for_each_expert_panel(context& c, const layer_weights& w, const grouped_rows& g,
                           packed_matrix gated_weights::*matrix, const Work& work) {
  const int panels = std::max((w.experts.front().*matrix).panels(), (w.experts.back().*matrix).panels());
  const auto parts = static_cast<std::int32_t>(w.experts.size()) * panels;
  c.team.for_each(parts, [&](std::int32_t part, int) {
    const std::int32_t expert = part / panels;
    const std::int32_t first = g.starts[expert];
    const std::int32_t count = g.starts[expert + 1] - first;
    const packed_matrix& weights = w.experts[static_cast<std::size_t>(expert)].*matrix;
    if (count > 0 && part % panels < weights.panels()) work(weights, part % panels, first, count);
  });
}

}  // namespace

void route(context& c, const operation& op) {
  const model_dims& m = c.model();
  const layer_weights& w = weights_of(c, op);
  const lane_range lanes = lanes_of(c, op.slice);
  const rows_in x = normed_hidden(c, lanes);
  const auto scores_of = [&](std::int64_t lane) {
    return c.at<float>(buffer_id::router_scores, lane * m.moe.experts);
  };
  product(c, w.router, lanes.count, x, {scores_of(lanes.first), m.moe.experts});
  c.for_each_lane(op.slice, [&](std::int64_t lane, int thread) {
    sigmoid(scores_of(lane), m.moe.experts);
    choose_experts({.scores = scores_of(lane),
                    .bias = w.router_bias.data(),
                    .moe = m.moe,
                    .choice = c.at<expert_choice>(buffer_id::expert_choice, lane * m.moe.top_k),
                    .scratch = c.thread_scratch[static_cast<std::size_t>(thread)].data()});
  });
}

void dispatch(context& c, const operation& op) {
  const model_dims& m = c.model();
  const lane_range lanes = lanes_of(c, op.slice);
  const int copies = m.experts_per_token();
  group_by_expert({.choice = c.at<expert_choice>(buffer_id::expert_choice, lanes.first * m.moe.top_k),
                   .lanes = lanes.count,
                   .experts = m.moe.experts,
                   .top_k = m.moe.top_k,
                   .shared = m.moe.shared_experts > 0,
                   .first_row = lanes.first * copies,
                   .starts = c.at<std::int32_t>(buffer_id::expert_starts,
                                                std::int64_t{op.slice.first} * (m.moe.experts + 2)),
                   .rows = c.at<std::int32_t>(buffer_id::expert_rows, lanes.first * copies)});
  const rows_in x = normed_hidden(c, lanes);
  c.for_each_lane(op.slice, [&](std::int64_t lane, int) {
    const std::int32_t* rows = c.at<std::int32_t>(buffer_id::expert_rows, lane * copies);
    for (int i = 0; i < copies; ++i) {
      std::copy_n(x.data + (lane - lanes.first) * x.pitch, m.hidden,
                  c.at<float>(buffer_id::expert_input, std::int64_t{rows[i]} * m.hidden));
    }
  });
}

void experts(context& c, const operation& op) {
  const std::int64_t hidden = c.model().hidden;
  const layer_weights& w = weights_of(c, op);
  const grouped_rows g = rows_of(c, op.slice);
  for_each_expert_panel(c, w, g, &gated_weights::gate_up,
                        [&](const packed_matrix& gate_up, int panel, std::int32_t first, int count) {
                          const rows_out inner = inner_of(c, g, first);
                          gate_up.run_panels(panel, 1, count,
                                             c.at<float>(buffer_id::expert_input, first * hidden), hidden,
                                             inner.data, inner.pitch);
                        });
  c.team.for_each(static_cast<std::int32_t>(g.routed + g.shared), [&](std::int32_t i, int) {
    const rows_out inner = inner_of(c, g, g.first + i);
    silu_multiply(inner.data, inner.data + inner.pitch / 2, inner.pitch / 2, inner.data);
  });
  for_each_expert_panel(c, w, g, &gated_weights::down,
                        [&](const packed_matrix& down, int panel, std::int32_t first, int count) {
                          const rows_out inner = inner_of(c, g, first);
                          down.run_panels(panel, 1, count, inner.data, inner.pitch,
                                          c.at<float>(buffer_id::expert_output, first * hidden), hidden);
                        });
}

void combine(context& c, const operation& op) {
  const model_dims& m = c.model();
  const lane_range lanes = lanes_of(c, op.slice);
  const std::int64_t hidden = m.hidden;
  c.for_each_lane(op.slice, [&](std::int64_t lane, int) {
    const auto* choice = c.at<expert_choice>(buffer_id::expert_choice, lane * m.moe.top_k);
    const auto* rows = c.at<std::int32_t>(buffer_id::expert_rows, lane * m.experts_per_token());
    float* sum = c.narrow_scratch() + (lane - lanes.first) * hidden;
    std::fill_n(sum, hidden, 0.0f);
    for (int i = 0; i < m.experts_per_token(); ++i) {
      const float* result = c.at<float>(buffer_id::expert_output, rows[i] * hidden);
      add_scaled(result, i < m.moe.top_k ? choice[i].weight : 1.0f, hidden, sum);
    }
  });
  add_to_hidden(c, lanes, c.narrow_scratch());
}

}  // namespace ess::cpu
