#include "ess_core/device/sim/pool_run.h"

#include <algorithm>
#include <stdexcept>

namespace ess::sim {

pool_run::pool_run(const pool_shape& shape) : shape_(shape) {
  if (shape.kind == pool_kind::none) return;
  pool_.emplace(shape.kind, static_cast<std::size_t>(shape.map_tokens),
                static_cast<std::size_t>(shape.slots));
}

resolved pool_run::run(const seat_state& seat, std::span<const token_id> selected) {
  std::vector<row_location> locations(selected.size());
  std::vector<row_miss> misses(selected.size() + static_cast<std::size_t>(shape_.query_tokens));
  resolve_output out{.locations = locations, .misses = misses};
  if (pool_) {
    ess::resolve(
        pool_->view(),
        {.selected = selected,
         .query_tokens = shape_.query_tokens,
         .first_new = seat.position,
         .new_tokens = seat.new_tokens,
         .draws = counter_rng(shape_.seed, purpose::eviction, static_cast<std::uint32_t>(shape_.layer)),
         .first_draw = static_cast<std::uint64_t>(shape_.request) << 32},
        out);
  } else {
    stage_all(selected, shape_.query_tokens, out);
  }
  const auto incoming = [](row_location l) { return l >= 0 && (l & incoming_flag) != 0; };
  return {
      .asked = static_cast<double>(out.asked),
      .misses = static_cast<double>(out.missed),
      .incoming = static_cast<double>(std::ranges::count_if(locations, incoming)),
      .attended = static_cast<double>(std::ranges::count_if(selected, [](token_id id) { return id >= 0; }))};
}

const resolved& pool_run::step(std::size_t number, const seat_state& seat,
                               std::span<const token_id> selected) {
  if (number == steps_.size()) {
    const resolved counts = run(seat, selected);
    steps_.push_back({.position = seat.position,
                      .new_tokens = seat.new_tokens,
                      .held_rows = pool_ ? std::int64_t{pool_->header.used} : 0,
                      .counts = counts});
  }
  const record& of = steps_.at(number);
  if (of.position != seat.position || of.new_tokens != seat.new_tokens)
    throw std::logic_error("a pool was run over other positions than are asked for");
  return of.counts;
}

std::int64_t pool_run::held_rows(std::size_t steps) const {
  return steps == 0 ? 0 : steps_.at(steps - 1).held_rows;
}

}  // namespace ess::sim
