// A mixture of experts: the router, tokens to their experts, the experts' feed-forwards, and back.
//
// A row of a product does not depend on the rows beside it (kernels/gemm.h), and a lane's results are summed
// by ascending id of the expert on the lane itself. So what a lane gets depends neither on who shares its
// experts nor on threads.
#include <algorithm>

#include "ess_core/device/cpu/expert_journey.h"
#include "ess_core/device/cpu/kernels/choose_experts.h"
#include "ess_core/device/cpu/kernels/elementwise.h"
#include "ess_core/device/cpu/products.h"

namespace ess::cpu {
namespace {

// This rank's rows of a slice in expert_input and expert_output: those of routed experts, then of the shared
// one.
struct own_rows {
  std::int64_t first;
  std::int64_t routed;
  std::int64_t shared;
  std::int32_t* starts;  // [experts + 2]
};

own_rows own_rows_of(const context& c, batch_slice slice) {
  const model_dims& m = c.model();
  const lane_range lanes = lanes_of(c, slice);
  return {.first = lanes.first * m.experts_per_token(),
          .routed = std::int64_t{lanes.count} * m.moe.top_k,
          .shared = m.moe.shared_experts > 0 ? lanes.count : 0,
          .starts =
              c.at<std::int32_t>(buffer_id::expert_starts, std::int64_t{slice.first} * (m.moe.experts + 2))};
}

// What the experts of this rank compute of a slice. Routed rows lie one after another.
struct work_list {
  std::vector<expert_segment> segments;  // the shared expert's last
  std::int64_t routed_first;
  std::int64_t routed = 0;
  std::int64_t shared_first;
  std::int64_t shared;

  void add(std::int32_t expert, std::int32_t count) {
    if (count > 0) segments.push_back({expert, routed_first + routed, count});
    routed += count;
  }
};

work_list work_of(const context& c, batch_slice slice) {
  const own_rows own = own_rows_of(c, slice);
  const bool alone = c.ranks == nullptr;
  work_list out{.segments = {},
                .routed_first = alone ? own.first : pieces_of(c, slice).first_arrived_row(),
                .shared_first = own.first + own.routed,
                .shared = own.shared};
  if (alone) {
    for (std::int32_t e = 0; e < c.model().moe.experts; ++e) out.add(e, own.starts[e + 1] - own.starts[e]);
  } else {
    const expert_pieces pieces = pieces_of(c, slice);
    for (int from = 0; from < c.layout.ranks; ++from) {
      const auto counts = pieces.arrived_from(from);
      for (int e = 0; e < c.experts_here.count(); ++e)
        out.add(c.experts_here.first + e, counts[static_cast<std::size_t>(e)]);
    }
  }
  if (out.shared > 0)
    out.segments.push_back({c.model().moe.experts, out.shared_first, static_cast<std::int32_t>(out.shared)});
  return out;
}

// Where the inner vector of a row lies in the wide scratch, gate first: routed rows [2 x width of an expert],
// then those of the shared expert.
rows_out routed_inner(const context& c, const work_list& g, std::int64_t row) {
  const std::int64_t pitch = 2 * std::int64_t{c.model().moe.width};
  return {c.wide_scratch() + (row - g.routed_first) * pitch, pitch};
}

rows_out shared_inner(const context& c, const work_list& g, std::int64_t row) {
  const std::int64_t pitch = 2 * std::int64_t{c.model().shared_width()};
  return {routed_inner(c, g, g.routed_first + g.routed).data + (row - g.shared_first) * pitch, pitch};
}

rows_out inner_of(const context& c, const work_list& g, const expert_segment& s) {
  return s.expert == c.model().moe.experts ? shared_inner(c, g, s.first) : routed_inner(c, g, s.first);
}

// Calls work(matrix, panel, segment) for every panel of every segment's matrix.
template <class Work>
void for_each_expert_panel(context& c, const layer_weights& w, const work_list& g,
                           packed_matrix gated_weights::*matrix, const Work& work) {
  const auto matrix_of = [&](const expert_segment& s) -> const packed_matrix& {
    return w.experts[static_cast<std::size_t>(s.expert)].*matrix;
  };
  int panels = 0;
  for (const expert_segment& s : g.segments) panels = std::max(panels, matrix_of(s).panels());
  c.team.for_each(static_cast<std::int32_t>(g.segments.size()) * panels, [&](std::int32_t part, int) {
    const expert_segment& s = g.segments[static_cast<std::size_t>(part / panels)];
    const packed_matrix& weights = matrix_of(s);
    if (part % panels < weights.panels()) work(weights, part % panels, s);
  });
}

// Where a slice's expert rows are made by the network stream, it does so alone: the team computes meanwhile.
template <class Work>
void for_each_lane_of(context& c, const operation& op, const Work& work) {
  if (op.stream == stream_id::compute)
    return c.for_each_lane(op.slice, [&](std::int64_t lane, int) { work(lane); });
  const lane_range lanes = lanes_of(c, op.slice);
  for (std::int64_t lane = lanes.first; lane < lanes.first + lanes.count; ++lane) work(lane);
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
  const own_rows own = own_rows_of(c, op.slice);
  group_by_expert({.choice = c.at<expert_choice>(buffer_id::expert_choice, lanes.first * m.moe.top_k),
                   .lanes = lanes.count,
                   .experts = m.moe.experts,
                   .top_k = m.moe.top_k,
                   .shared = m.moe.shared_experts > 0,
                   .first_row = own.first,
                   .starts = own.starts,
                   .rows = c.at<std::int32_t>(buffer_id::expert_rows, lanes.first * copies)});
  const auto input = [&](std::int64_t row) { return c.at<float>(buffer_id::expert_input, row * m.hidden); };
  for_each_lane_of(c, op, [&](std::int64_t lane) {
    const std::int32_t* rows = c.at<std::int32_t>(buffer_id::expert_rows, lane * copies);
    rms_norm(c.at<float>(buffer_id::hidden, lane * m.hidden), m.hidden, input(rows[0]));
    for (int i = 1; i < copies; ++i) std::copy_n(input(rows[0]), m.hidden, input(rows[i]));
  });
  pieces_of(c, op.slice).count_own_rows(c.traffic.rows_by_expert);
  if (op.stream == stream_id::network) send_to_experts(c, op.slice);
}

void experts(context& c, const operation& op) {
  const std::int64_t hidden = c.model().hidden;
  const layer_weights& w = weights_of(c, op);
  const work_list g = work_of(c, op.slice);
  for_each_expert_panel(c, w, g, &gated_weights::gate_up,
                        [&](const packed_matrix& gate_up, int panel, const expert_segment& s) {
                          const rows_out inner = inner_of(c, g, s);
                          gate_up.run_panels(panel, 1, s.count,
                                             c.at<float>(buffer_id::expert_input, s.first * hidden), hidden,
                                             inner.data, inner.pitch);
                        });
  c.team.for_each(static_cast<std::int32_t>(g.routed + g.shared), [&](std::int32_t i, int) {
    const rows_out inner = i < g.routed ? routed_inner(c, g, g.routed_first + i)
                                        : shared_inner(c, g, g.shared_first + i - g.routed);
    silu_multiply(inner.data, inner.data + inner.pitch / 2, inner.pitch / 2, inner.data);
  });
  for_each_expert_panel(c, w, g, &gated_weights::down,
                        [&](const packed_matrix& down, int panel, const expert_segment& s) {
                          const rows_out inner = inner_of(c, g, s);
                          down.run_panels(panel, 1, s.count, inner.data, inner.pitch,
                                          c.at<float>(buffer_id::expert_output, s.first * hidden), hidden);
                        });
  c.traffic.rows_here += g.routed;
}

void combine(context& c, const operation& op) {
  const model_dims& m = c.model();
  const bool journey = op.stream == stream_id::network;
  if (journey) bring_back(c, op.slice);
  const lane_range lanes = lanes_of(c, op.slice);
  const std::int64_t hidden = m.hidden;
  for_each_lane_of(c, op, [&](std::int64_t lane) {
    const auto* choice = c.at<expert_choice>(buffer_id::expert_choice, lane * m.moe.top_k);
    const auto* rows = c.at<std::int32_t>(buffer_id::expert_rows, lane * m.experts_per_token());
    float* sum = journey ? reinterpret_cast<float*>(c.network_scratch.data())
                         : c.narrow_scratch() + (lane - lanes.first) * hidden;
    std::fill_n(sum, hidden, 0.0f);
    for (int i = 0; i < m.experts_per_token(); ++i) {
      const float* result = c.at<float>(buffer_id::expert_output, rows[i] * hidden);
      add_scaled(result, i < m.moe.top_k ? choice[i].weight : 1.0f, hidden, sum);
    }
    add(sum, hidden, c.at<float>(buffer_id::hidden, lane * hidden));
  });
}

}  // namespace ess::cpu
