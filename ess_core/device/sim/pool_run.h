// A pool of one request and layer, run step by step over what the layer selects, with a record of what each
// step counted. What a pool counts does not depend on the batch around it, so that points of a run can read
// each other's records.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "ess_core/cache/owned_pool.h"
#include "ess_core/device/device.h"

namespace ess::sim {

// Of one request and layer in one step.
struct resolved {
  double asked = 0;
  double misses = 0;
  double incoming = 0;  // pairs of query token and row that arrives in the step
  double attended = 0;  // pairs of query token and selected row
};

// All that decides the counts beside the selections.
struct pool_shape {
  pool_kind kind = pool_kind::none;  // none: every row is a miss
  std::int64_t slots = 0;
  std::int64_t map_tokens = 0;
  std::int32_t query_tokens = 1;
  request_id request = 0;  // of the eviction draws
  std::int32_t layer = 0;
  std::uint64_t seed = 0;

  friend bool operator==(const pool_shape&, const pool_shape&) = default;
};

class pool_run {
 public:
  explicit pool_run(const pool_shape& shape);

  // Of the step with this number, run first if nobody has done so. selected: [query tokens][top_k]. Throws
  // std::logic_error if the step was recorded for another position.
  const resolved& step(std::size_t number, const seat_state& seat, std::span<const token_id> selected);
  // In the pool after that many steps.
  [[nodiscard]] std::int64_t held_rows(std::size_t steps) const;
  [[nodiscard]] const pool_shape& shape() const { return shape_; }

 private:
  struct record {
    token_id position = 0;
    std::int32_t new_tokens = 0;
    std::int64_t held_rows = 0;
    resolved counts;
  };
  [[nodiscard]] resolved run(const seat_state& seat, std::span<const token_id> selected);

  pool_shape shape_;
  std::optional<owned_pool> pool_;
  std::vector<record> steps_;
};

}  // namespace ess::sim
