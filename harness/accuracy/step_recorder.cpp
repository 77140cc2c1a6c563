#include "harness/accuracy/step_recorder.h"

#include <algorithm>
#include <utility>

#include "ess_core/layout/index_key.h"
#include "harness/accuracy/device_reader.h"

namespace harness {

using ess::buffer_id;
using ess::op_kind;

namespace {

bool ends_layer(op_kind kind) { return kind == op_kind::feed_forward || kind == op_kind::combine; }

}  // namespace

step_recorder::step_recorder(const recorder_target& target, recorder_sample sample)
    : target_(target), sample_(std::move(sample)), seats_(target.layout.shape.seats) {}

// Seats and positions are known only once the engine has written them: with the first operation.
void step_recorder::begin() {
  first_of_step_ = lanes_.size();
  const auto& seats = target_.engine.seats();
  const std::int32_t queries = target_.layout.shape.query_tokens;
  for (const std::int32_t layer : sample_.layers) {
    for (std::size_t i = 0; i < seats.size(); ++i) {
      if (std::ranges::find(sample_.requests, seats[i].request) == sample_.requests.end()) continue;
      for (std::int32_t q = 0; q < queries; ++q) {
        lanes_.push_back({.step = static_cast<std::int32_t>(batches_.size()),
                          .layer = layer,
                          .lane = static_cast<std::int64_t>(i) * queries + q,
                          .position = seats[i].position + q,
                          .seat = seats[i]});
      }
    }
  }
}

void step_recorder::step() {
  bool begun = false;
  (void)target_.engine.step([&](const ess::operation& op) {
    if (!std::exchange(begun, true)) begin();
    record(op);
  });
  batches_.push_back(record_batch(target_.device, target_.layout, target_.engine.seats()));
}

void step_recorder::record(const ess::operation& op) {
  const std::int64_t queries = target_.layout.shape.query_tokens;
  for (std::size_t i = first_of_step_; i < lanes_.size(); ++i) {
    lane_record& r = lanes_[i];
    const std::int64_t seat = r.lane / queries;
    if (seat < op.slice.first || seat >= op.slice.first + op.slice.count) continue;
    if (ends_layer(op.kind) && op.layer + 1 == r.layer && target_.layout.model.is_draft_layer(r.layer)) {
      r.hidden_before_draft = lane_values<float>(buffer_id::hidden, r.lane, target_.layout.model.hidden);
    }
    if (r.layer != op.layer) continue;
    r.ran.set(static_cast<std::size_t>(op.kind));
    record(op, r);
  }
}

void step_recorder::record(const ess::operation& op, lane_record& r) {
  const std::int64_t hidden = target_.layout.model.hidden;
  switch (op.kind) {
    case op_kind::project_index:
    case op_kind::project_attention:
      return record_projection(op, r);
    case op_kind::append_key:
    case op_kind::score_keys:
    case op_kind::select_topk:
    case op_kind::resolve:
      return record_selection(op, r);
    case op_kind::append_row:
    case op_kind::write_back:
    case op_kind::fetch:
    case op_kind::fetch_by_call:
    case op_kind::stream_layer:
      return record_movement(op, r);
    case op_kind::attend:
    case op_kind::merge:
      return record_attention(op, r);
    case op_kind::output:
      r.hidden_between = lane_values<float>(buffer_id::hidden, r.lane, hidden);
      return;
    case op_kind::combine:
      r.expert_output = expert_values(buffer_id::expert_output, r);  // of other ranks' experts, too
      [[fallthrough]];
    case op_kind::feed_forward:
      r.hidden_out = lane_values<float>(buffer_id::hidden, r.lane, hidden);
      return;
    case op_kind::route:
    case op_kind::dispatch:
      return record_experts(op, r);
    case op_kind::experts:  // what they give is seen at combine
    case op_kind::read_back:
    case op_kind::draft:        // its result is the input that project_index finds
    case op_kind::select_next:  // decides what is moved, not what is computed
    case op_kind::prefetch:
    case op_kind::fill_pool:  // this and the next are not of decode steps
    case op_kind::take_landed:
    case op_kind::store_landed:
      return;
  }
}

void step_recorder::record_projection(const ess::operation& op, lane_record& r) {
  const ess::model_dims& m = target_.layout.model;
  if (op.kind == op_kind::project_index) {
    r.hidden_in = lane_values<float>(buffer_id::hidden, r.lane, m.hidden);
    r.q_resid = lane_values<float>(buffer_id::q_resid, r.lane, m.q_lora);
    r.index_query =
        lane_values<std::uint8_t>(buffer_id::index_query, r.lane, std::int64_t{m.index_heads} * m.index_dim);
    r.index_weight = lane_values<float>(buffer_id::index_weight, r.lane, m.index_heads);
    r.index_key_new = lane_values<std::uint8_t>(buffer_id::index_key_new, r.lane, m.index_key_bytes().value);
    return;
  }
  r.query = lane_values<float>(buffer_id::query, r.lane, std::int64_t{m.heads} * m.absorbed_dim());
  const std::int64_t lanes = seats_ * target_.layout.shape.query_tokens;
  r.latent_new =
      lane_values<std::uint8_t>(buffer_id::latent_new, r.layer * lanes + r.lane, m.latent_row_bytes().value);
}

void step_recorder::record_selection(const ess::operation& op, lane_record& r) {
  const ess::memory_layout& l = target_.layout;
  const std::int64_t lanes = seats_ * l.shape.query_tokens;
  if (op.kind == op_kind::append_key) {
    const ess::index_page_format format{.dim = l.model.index_dim};
    r.index_pages = read_values<std::uint8_t>(
        target_.device, buffer_id::index_keys,
        (r.layer * l.index_tokens + r.seat.index_base) * l.model.index_key_bytes().value,
        format.bytes_for(r.position + std::int64_t{1}));
  } else if (op.kind == op_kind::score_keys) {
    r.scores = read_values<float>(target_.device, buffer_id::scores, r.lane * l.max_context,
                                  r.position + std::int64_t{1});
  } else if (op.kind == op_kind::select_topk) {
    r.selected = lane_values<ess::token_id>(buffer_id::selected, r.layer * lanes + r.lane, l.model.top_k);
  } else {
    r.locations = lane_values<ess::row_location>(buffer_id::locations, r.lane, l.model.top_k);
  }
}

void step_recorder::record_movement(const ess::operation& op, lane_record& r) {
  const ess::memory_layout& l = target_.layout;
  const std::int64_t row = l.model.latent_row_bytes().value;
  if (op.kind == op_kind::write_back) {
    const std::int64_t at = r.layer * l.host_rows + r.seat.host_base + r.position;
    r.written_back.push_back({r.position, read_values<std::uint8_t>(target_.device, buffer_id::host_latents,
                                                                    at * l.host_row_pitch, row)});
  } else if (op.kind == op_kind::stream_layer) {
    r.streamed = read_values<std::uint8_t>(target_.device, buffer_id::latents,
                                           place_of(l, r.seat, r.layer, 0).row * row, r.seat.position * row);
  } else if (op.kind == op_kind::append_row && op.addressing == ess::row_addressing::by_token) {
    r.appended.push_back(device_row(r, r.position, r.position));
  } else {
    for (std::size_t i = 0; i < r.selected.size() && i < r.locations.size(); ++i) {
      if (r.locations[i] < 0) continue;
      const bool incoming = (r.locations[i] & ess::incoming_flag) != 0;
      if (op.kind == op_kind::append_row && r.selected[i] == r.position && !incoming) {
        r.appended.push_back(device_row(r, r.selected[i], r.locations[i]));
      } else if (op.kind != op_kind::append_row && incoming) {
        r.fetched.push_back(device_row(r, r.selected[i], r.locations[i]));
      }
    }
  }
}

void step_recorder::record_attention(const ess::operation& op, lane_record& r) {
  if (op.kind == op_kind::merge) {
    r.whole = attention_of(0, r);
    return;
  }
  const bool incoming_part = op.part == ess::row_part::incoming;
  (op.part == ess::row_part::all ? r.whole
   : incoming_part               ? r.incoming
                                 : r.resident) = attention_of(incoming_part ? 1 : 0, r);
  for (std::size_t i = 0; i < r.selected.size(); ++i) {
    if (r.selected[i] < 0) continue;
    if (op.addressing == ess::row_addressing::by_token) {
      r.attended.push_back(device_row(r, r.selected[i], r.selected[i]));
      continue;
    }
    const bool incoming = (r.locations[i] & ess::incoming_flag) != 0;
    if (r.locations[i] >= 0 && (op.part == ess::row_part::all || incoming == incoming_part)) {
      r.attended.push_back(device_row(r, r.selected[i], r.locations[i]));
    }
  }
}

void step_recorder::record_experts(const ess::operation& op, lane_record& r) {
  const ess::model_dims& m = target_.layout.model;
  if (op.kind == op_kind::route) {
    r.router_scores = lane_values<float>(buffer_id::router_scores, r.lane, m.moe.experts);
    r.expert_choice = lane_values<ess::expert_choice>(buffer_id::expert_choice, r.lane, m.moe.top_k);
  } else {
    r.expert_starts =
        lane_values<std::int32_t>(buffer_id::expert_starts, op.slice.first, m.moe.experts + std::int64_t{2});
    r.expert_rows = lane_values<std::int32_t>(buffer_id::expert_rows, r.lane, m.experts_per_token());
    r.expert_input = expert_values(buffer_id::expert_input, r);
  }
}

// Of the lane's rows; zeros for a row outside the buffer, where the device itself would stray.
std::vector<float> step_recorder::expert_values(buffer_id buffer, const lane_record& r) const {
  const std::int64_t hidden = target_.layout.model.hidden;
  const std::int64_t rows = ess::buffer_bytes(target_.layout, buffer).value / (hidden * 4);
  std::vector<float> out;
  for (const std::int32_t row : r.expert_rows) {
    const bool inside = row >= 0 && row < rows;
    const auto values = inside ? lane_values<float>(buffer, row, hidden)
                               : std::vector<float>(static_cast<std::size_t>(hidden));
    out.insert(out.end(), values.begin(), values.end());
  }
  return out;
}

template <class T>
std::vector<T> step_recorder::lane_values(buffer_id buffer, std::int64_t lane, std::int64_t count) const {
  return read_values<T>(target_.device, buffer, lane * count, count);
}

attention_record step_recorder::attention_of(std::int64_t part, const lane_record& r) const {
  const ess::model_dims& m = target_.layout.model;
  const std::int64_t lane = part * seats_ * target_.layout.shape.query_tokens + r.lane;
  return {.output = lane_values<float>(buffer_id::attention, lane, std::int64_t{m.heads} * m.kv_lora),
          .lse = lane_values<float>(buffer_id::lse, lane, m.heads)};
}

row_record step_recorder::device_row(const lane_record& r, ess::token_id token,
                                     ess::row_location location) const {
  const ess::memory_layout& l = target_.layout;
  const ess::row_place at = place_of(l, r.seat, r.layer, location);
  const std::int64_t bytes = l.model.latent_row_bytes().value;
  if ((at.row + 1) * bytes > ess::buffer_bytes(l, at.buffer).value)
    return {token, {}};  // the device itself would stray
  return {token, lane_values<std::uint8_t>(at.buffer, at.row, bytes)};
}

batch_record record_batch(const ess::device& device, const ess::memory_layout& layout,
                          const std::vector<ess::seat_state>& seats) {
  const ess::model_dims& m = layout.model;
  const std::int64_t queries = layout.shape.query_tokens;
  const auto lanes = static_cast<std::int64_t>(seats.size()) * queries;
  batch_record out{.layers = static_cast<std::size_t>(m.layers)};
  for (const ess::seat_state& seat : seats) out.requests.push_back(seat.request);
  out.hidden = read_values<float>(device, buffer_id::hidden, 0, lanes * m.hidden);
  for (std::int64_t layer = 0; layer < m.layers; ++layer) {
    const auto ids = read_values<ess::token_id>(
        device, buffer_id::selected, layer * layout.shape.seats * queries * m.top_k, lanes * m.top_k);
    out.selected.insert(out.selected.end(), ids.begin(), ids.end());
  }
  return out;
}

}  // namespace harness
