#include "ess_core/device/sim/followed_request.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace ess::sim {

followed_request::followed_request(const memory_layout& layout, std::uint64_t seed,
                                   const stream_source& locality, shared_streams* shared,
                                   const seat_state& seat, const std::vector<bool>& layers)
    : layout_(layout), seed_(seed), seat_(seat), layers_(layers.size()) {
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
      at.pool = at.shared->pool(shape_of(layer));
    } else {
      at.own.emplace(locality, layout.model.top_k, seat.request, layer);
      at.pool = std::make_shared<pool_run>(shape_of(layer));
    }
  }
}

pool_shape followed_request::shape_of(std::int32_t layer) const {
  const bool pooled = layout_.pool != pool_kind::none;
  return {.kind = layout_.pool,
          .slots = pooled ? layout_.rows_in(layer, seat_.device_rows) : 0,
          .map_tokens = pooled ? seat_.map_tokens : 0,
          .query_tokens = layout_.shape.query_tokens,
          .request = seat_.request,
          .layer = layer,
          .seed = seed_};
}

void followed_request::select(layer_state& at, token_id position) const {
  at.read_shared = at.shared != nullptr;
  if (at.read_shared) {
    at.shared->select(position, at.ids.size());
  } else {
    at.own->select(position, at.ids);
  }
}

resolved followed_request::resolve(const seat_state& seat, std::int32_t layer) {
  layer_state& at = *layers_[static_cast<std::size_t>(layer)];
  if (std::exchange(at.given, false)) {
    at.read_shared = false;
  } else {
    select(at, seat.position);
  }
  return at.pool->step(at.steps++, seat, selected(layer));
}

std::span<const token_id> followed_request::selected(std::int32_t layer) const {
  const layer_state& at = *layers_[static_cast<std::size_t>(layer)];
  return at.read_shared ? at.shared->selected() : at.ids;
}

// A pool that meets other ids than the stream's is of no use to others.
void followed_request::give(std::int32_t layer, std::span<const token_id> ids) {
  layer_state& at = *layers_[static_cast<std::size_t>(layer)];
  if (at.steps == 0) {
    at.pool = std::make_shared<pool_run>(shape_of(layer));
    at.owns_pool = true;
  } else if (at.shared != nullptr && !at.owns_pool) {
    throw std::logic_error("ids are given to a pool that has begun with those of its stream");
  }
  std::ranges::copy(ids, at.ids.begin());
  at.given = true;
}

std::int64_t followed_request::held_rows(std::int32_t layer) const {
  const layer_state& at = *layers_[static_cast<std::size_t>(layer)];
  return at.pool->held_rows(at.steps);
}

}  // namespace ess::sim
