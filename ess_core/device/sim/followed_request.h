// A request whose selections and pools are followed exactly.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "ess_core/device/sim/index_stream.h"
#include "ess_core/device/sim/pool_run.h"

namespace ess::sim {

class followed_request {
 public:
  followed_request(const memory_layout& layout, std::uint64_t seed, const stream_source& locality,
                   shared_streams* shared, const seat_state& seat, const std::vector<bool>& layers);

  // Selects, unless ids were given, and looks them up. Different layers may be resolved at the same time.
  resolved resolve(const seat_state& seat, std::int32_t layer);

  // The ids of a layer: [query tokens][top_k].
  [[nodiscard]] std::span<const token_id> selected(std::int32_t layer) const;
  void give(std::int32_t layer, std::span<const token_id> ids);
  [[nodiscard]] std::int64_t held_rows(std::int32_t layer) const;  // of its pool's

  // Misses of decode steps so far.
  [[nodiscard]] double misses() const { return misses_; }
  [[nodiscard]] double steps() const { return steps_; }
  void count_step(double misses) {
    misses_ += misses;
    steps_ += 1;
  }

 private:
  struct layer_state {
    std::optional<index_stream> own;
    std::unique_ptr<shared_streams::cursor> shared;
    std::shared_ptr<pool_run> pool;
    bool owns_pool = false;     // shared with nobody, whatever the stream is
    std::size_t steps = 0;      // that the pool has been taken through
    std::vector<token_id> ids;  // given, or of an own stream
    bool given = false;         // for the step to come
    bool read_shared = false;   // the last selection
  };
  [[nodiscard]] pool_shape shape_of(std::int32_t layer) const;
  void select(layer_state& at, token_id position) const;

  const memory_layout& layout_;
  std::uint64_t seed_;
  seat_state seat_;                                   // as it was taken
  std::vector<std::unique_ptr<layer_state>> layers_;  // null: not followed
  double misses_ = 0;
  double steps_ = 0;
};

}  // namespace ess::sim
