#include "ess_core/device/device.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ess {
namespace {

// Rows that one seat can ask for in a step: the union over its query tokens, and the new tokens themselves.
std::int64_t step_rows(const memory_layout& l) {
  return l.shape.query_tokens * (l.model.top_k + std::int64_t{1});
}

std::int64_t expert_buffer_bytes(const memory_layout& l, buffer_id buffer) {
  const model_dims& m = l.model;
  const std::int64_t lanes = l.lanes();
  switch (buffer) {
    case buffer_id::router_scores:
      return lanes * m.moe.experts * 4;
    case buffer_id::expert_choice:
      return lanes * m.moe.top_k * static_cast<std::int64_t>(sizeof(expert_choice));
    case buffer_id::expert_starts:
      return l.shape.seats * (m.moe.experts + std::int64_t{2}) * 4;
    case buffer_id::expert_rows:
      return lanes * m.experts_per_token() * 4;
    case buffer_id::expert_input:
    case buffer_id::expert_output:
      return (l.own_expert_rows() + lanes * l.arrived_rows_per_lane()) * m.hidden * 4;
    default:
      return 0;
  }
}

}  // namespace

std::string_view to_string(memory_tier tier) { return tier == memory_tier::device ? "device" : "host"; }

std::string_view to_string(clock_kind clock) {
  switch (clock) {
    case clock_kind::wall:
      return "wall";
    case clock_kind::cuda_event:
      return "cuda_event";
    case clock_kind::virtual_clock:
      return "virtual";
  }
  return "?";
}

out_of_memory::out_of_memory(memory_tier t, std::string_view what, byte_count a, byte_count u, byte_count b)
    : std::runtime_error(fmt::format("{} tier: {} needs {} where {} of {} are left", ess::to_string(t), what,
                                     ess::to_string(a), ess::to_string(b - u), ess::to_string(b))),
      tier(t),
      asked(a),
      used(u),
      budget(b) {}

std::int64_t memory_layout::rows_before(std::int32_t copy) const {
  if (layer_weights.empty()) return copy * device_rows;
  std::int64_t rows = 0;
  for (std::int32_t c = 0; c < copy; ++c) rows += rows_in(c, device_rows);
  return rows;
}

row_place place_of(const memory_layout& l, const seat_state& seat, std::int32_t layer,
                   row_location location) {
  const std::int64_t row = location & ~incoming_flag;
  const std::int32_t copy = layer % std::max(1, l.latent_copies);
  const std::int64_t held = l.rows_in(copy, seat.device_rows);
  if (row >= held) return {buffer_id::staging, seat.staging_base + row - held};
  return {buffer_id::latents, l.rows_before(copy) + l.rows_in(copy, seat.device_base) + row};
}

memory_tier buffer_tier(buffer_id buffer) {
  return buffer == buffer_id::host_latents ? memory_tier::host : memory_tier::device;
}

std::int64_t pool_offset(const memory_layout& l, std::int32_t layer) {
  if (l.pool == pool_kind::none) return 0;
  const pool_footprint each = footprint_of(l.pool);
  const std::int64_t beside = l.shape.seats * pool_header_bytes + l.map_tokens * each.bytes_per_token();
  constexpr std::int64_t line = 64;  // each layer begins at one
  std::int64_t sum = 0;
  for (std::int32_t before = 0; before < layer; ++before) {
    const std::int64_t bytes = beside + l.rows_in(before, l.device_rows) * each.bytes_per_slot();
    sum += (bytes + line - 1) / line * line;
  }
  return sum;
}

byte_count buffer_bytes(const memory_layout& l, buffer_id buffer) {
  const model_dims& m = l.model;
  const std::int64_t lanes = l.lanes();
  const std::int64_t row = m.latent_row_bytes().value;
  const std::int64_t key = m.index_key_bytes().value;
  constexpr std::int64_t f32 = 4;
  switch (buffer) {
    case buffer_id::seats:
      return {l.shape.seats * static_cast<std::int64_t>(sizeof(seat_state))};
    case buffer_id::hidden:
      return {lanes * m.hidden * f32};
    case buffer_id::draft_input:
      return {m.draft_layers > 0 ? lanes * m.hidden * f32 : 0};
    case buffer_id::q_resid:
      return {lanes * m.q_lora * f32};
    case buffer_id::index_query:
      return {lanes * m.index_heads * m.index_dim};
    case buffer_id::index_weight:
      return {lanes * m.index_heads * f32};
    case buffer_id::index_key_new:
      return {lanes * key};
    case buffer_id::index_keys:
      return {m.layers * l.index_tokens * key};
    case buffer_id::scores:
      return {lanes * l.max_context * f32};
    case buffer_id::selected:
      return {m.layers * lanes * m.top_k * 4};
    case buffer_id::query:
      return {lanes * m.heads * m.absorbed_dim() * f32};
    case buffer_id::latent_new:
      return {m.layers * lanes * row};
    case buffer_id::latents:
      return {l.rows_before(l.latent_copies) * row};
    case buffer_id::staging:
      return {l.staging_rows * row};
    case buffer_id::landing:
      return {m.layers * l.landing_rows * row};
    case buffer_id::host_latents:
      return {m.layers * l.host_rows * l.host_row_pitch};
    case buffer_id::pool:
      return {pool_offset(l, m.layers)};
    case buffer_id::candidates:
      return {m.layers * std::int64_t{l.shape.seats} * l.prefetch_rows * 4};
    case buffer_id::locations:
      return {lanes * m.top_k * 4};
    case buffer_id::misses:
      return {l.shape.seats * (step_rows(l) * 8 + 8)};
    case buffer_id::counters:
      return {m.layers * l.shape.seats * static_cast<std::int64_t>(sizeof(row_counters))};
    case buffer_id::attention:
      return {2 * lanes * m.heads * m.kv_lora * f32};
    case buffer_id::lse:
      return {2 * lanes * m.heads * f32};
    case buffer_id::router_scores:
    case buffer_id::expert_choice:
    case buffer_id::expert_starts:
    case buffer_id::expert_rows:
    case buffer_id::expert_input:
    case buffer_id::expert_output:
      return {m.has_moe_layers() ? expert_buffer_bytes(l, buffer) : 0};
  }
  return {};
}

byte_count scratch_bytes(const memory_layout& l) {
  const model_dims& m = l.model;
  const std::int64_t routed = std::max<std::int64_t>(m.moe.top_k, l.arrived_rows_per_lane());
  const std::int64_t experts = m.has_moe_layers() ? 2 * (routed * m.moe.width + m.shared_width()) : 0;
  const int draft = m.draft_layers > 0 ? 2 * m.hidden : 0;
  const int widest_of_others = std::max({2 * m.dense_width, draft, m.heads * m.query_dim(), m.heads * m.v,
                                         m.hidden, m.absorbed_dim(), m.index_heads * m.index_dim});
  return byte_count{2 * l.lanes() * std::max<std::int64_t>(widest_of_others, experts) * 4};
}

std::vector<memory_item> memory_items(const memory_layout& l) {
  const auto bytes = [&](buffer_id buffer) { return buffer_bytes(l, buffer); };
  byte_count activations = scratch_bytes(l);
  for (const buffer_id buffer :
       {buffer_id::seats,       buffer_id::hidden,        buffer_id::draft_input,   buffer_id::q_resid,
        buffer_id::index_query, buffer_id::index_weight,  buffer_id::index_key_new, buffer_id::scores,
        buffer_id::selected,    buffer_id::query,         buffer_id::latent_new,    buffer_id::candidates,
        buffer_id::locations,   buffer_id::misses,        buffer_id::counters,      buffer_id::attention,
        buffer_id::lse,         buffer_id::router_scores, buffer_id::expert_choice, buffer_id::expert_starts,
        buffer_id::expert_rows, buffer_id::expert_input,  buffer_id::expert_output}) {
    activations += bytes(buffer);
  }
  return {{"weights", memory_tier::device, l.weights},
          {"activations", memory_tier::device, activations},
          {"indexer keys", memory_tier::device, bytes(buffer_id::index_keys)},
          {"latent rows", memory_tier::device, bytes(buffer_id::latents)},
          {"staging rows", memory_tier::device, bytes(buffer_id::staging)},
          {"landing rows", memory_tier::device, bytes(buffer_id::landing)},
          {"pool maps", memory_tier::device, bytes(buffer_id::pool)},
          {"latent store", memory_tier::host, bytes(buffer_id::host_latents)}};
}

byte_count total(const std::vector<memory_item>& items, memory_tier tier) {
  byte_count sum;
  for (const memory_item& item : items) {
    if (item.tier == tier) sum += item.bytes;
  }
  return sum;
}

bool has_weights_for(const model_dims& model, const operation& op) {
  switch (op.kind) {
    case op_kind::feed_forward:
      return !model.is_moe_layer(op.layer);
    case op_kind::route:
    case op_kind::dispatch:
    case op_kind::experts:
    case op_kind::combine:
      return model.is_moe_layer(op.layer);
    case op_kind::draft:
      return model.is_draft_layer(op.layer);
    default:
      return true;
  }
}

}  // namespace ess
