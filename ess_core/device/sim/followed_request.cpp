#include "ess_core/device/sim/followed_request.h"

#include <algorithm>

namespace ess::sim {

followed_request::followed_request(const memory_layout& layout, std::uint64_t seed,
                                   const stream_source& locality, shared_streams* shared,
                                   const seat_state& seat, const std::vector<bool>& layers)
    : layout_(layout), seed_(seed), layers_(layers.size()) {
  const auto ids =
      static_cast<std::size_t>(layout.shape.query_tokens) * static_cast<std::size_t>(layout.model.top_k);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (!layers[i]) continue;
    const auto layer = static_cast<std::int32_t>(i);
    layers_[i] = std::make_unique<layer_state>();
    layer_state& at = *layers_[i];
    at.ids.assign(ids, -1);
    if (shared != nullptr) {
      at.shared = shared->open(seat.request, layer);
    } else {
      at.own.emplace(locality, layout.model.top_k, seat.request, layer);
    }
    if (layout.pool == pool_kind::none) continue;
    at.pool.emplace(layout.pool, static_cast<std::size_t>(seat.map_tokens),
                    static_cast<std::size_t>(layout.rows_in(layer, seat.device_rows)));
  }
}

void followed_request::select(layer_state& at, token_id position) const {
  if (at.shared != nullptr) {
    at.shared->select(position, at.ids);
  } else {
    at.own->select(position, at.ids);
  }
}

resolved followed_request::resolve(const seat_state& seat, std::int32_t layer) {
  layer_state& at = *layers_[static_cast<std::size_t>(layer)];
  if (!at.given) select(at, seat.position);
  at.given = false;
  std::vector<row_location> locations(at.ids.size());
  std::vector<row_miss> misses(at.ids.size() + static_cast<std::size_t>(layout_.shape.query_tokens));
  resolve_output out{.locations = locations, .misses = misses};
  if (at.pool) {
    ess::resolve(at.pool->view(),
                 {.selected = at.ids,
                  .query_tokens = layout_.shape.query_tokens,
                  .first_new = seat.position,
                  .new_tokens = seat.new_tokens,
                  .draws = counter_rng(seed_, purpose::eviction, static_cast<std::uint32_t>(layer)),
                  .first_draw = static_cast<std::uint64_t>(seat.request) << 32},
                 out);
  } else {
    stage_all(at.ids, layout_.shape.query_tokens, out);
  }
  const auto incoming = [](row_location l) { return l >= 0 && (l & incoming_flag) != 0; };
  return {
      .asked = static_cast<double>(out.asked),
      .misses = static_cast<double>(out.missed),
      .incoming = static_cast<double>(std::ranges::count_if(locations, incoming)),
      .attended = static_cast<double>(std::ranges::count_if(at.ids, [](token_id id) { return id >= 0; }))};
}

std::span<const token_id> followed_request::selected(std::int32_t layer) const {
  return layers_[static_cast<std::size_t>(layer)]->ids;
}

void followed_request::give(std::int32_t layer, std::span<const token_id> ids) {
  layer_state& at = *layers_[static_cast<std::size_t>(layer)];
  std::ranges::copy(ids, at.ids.begin());
  at.given = true;
}

std::int64_t followed_request::held_rows(std::int32_t layer) const {
  const layer_state& at = *layers_[static_cast<std::size_t>(layer)];
  return at.pool ? at.pool->header.used : 0;
}

}  // namespace ess::sim
