#include "ess_core/locality/miss_curve.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "ess_core/locality/use_order.h"

namespace ess {
namespace {

class distance_counter {
 public:
  distance_counter(const layer_replay& replay, miss_curve& into)
      : replay_(replay),
        curve_(into),
        order_(replay.tokens()),
        asked_in_(replay.tokens(), -1),
        uses_at_(replay.tokens() + 1) {}

  void run(std::int32_t skip_steps) {
    for (std::int32_t step = 0; step < replay_.steps(); ++step) {
      judge(step, step >= skip_steps);
      use_all(step);
    }
  }

  // Uses by stack distance, [tokens + 1]; place 0 stays empty.
  [[nodiscard]] const std::vector<std::int64_t>& uses_at() const { return uses_at_; }

 private:
  void judge(std::int32_t step, bool counted) {
    order_.begin_step();
    std::int64_t asked = 0;
    std::int64_t asked_new = 0;
    for (std::int32_t query = 0; query < replay_.query_tokens(); ++query) {
      for (const token_id token : replay_.selected(step, query)) {
        if (std::exchange(asked_in_[static_cast<std::size_t>(token)], step) == step) continue;
        ++asked;
        if (replay_.is_new(step, token)) {
          ++asked_new;
        } else if (counted) {
          count(order_.distance(token));
        }
      }
    }
    curve_.smallest_pool = std::max(curve_.smallest_pool, asked - asked_new + replay_.query_tokens());
    if (!counted) return;
    ++curve_.steps;
    curve_.asked += asked;
  }

  void count(std::uint32_t distance) {
    if (distance == 0) ++curve_.never;
    if (distance > 0) ++uses_at_[distance];
  }

  // A new token counts as used just before its own query.
  void use_all(std::int32_t step) {
    for (std::int32_t query = 0; query < replay_.query_tokens(); ++query) {
      order_.use(replay_.first_new(step) + query);
      for (const token_id token : replay_.selected(step, query)) order_.use(token);
    }
  }

  const layer_replay& replay_;
  miss_curve& curve_;
  use_order order_;
  std::vector<std::int32_t> asked_in_;  // [tokens] the last step that asked for it
  std::vector<std::int64_t> uses_at_;
};

}  // namespace

std::int64_t miss_curve::misses(std::int64_t pool_rows) const {
  if (pool_rows < smallest_pool)
    throw std::logic_error("a miss curve says nothing of a pool that stages rows");
  const auto most = static_cast<std::int64_t>(deeper_.size()) - 1;
  return never + deeper_[static_cast<std::size_t>(std::min(pool_rows, most))];
}

miss_curve lru_miss_curve(const index_trace& trace, std::int32_t layer, const replay_options& options) {
  miss_curve curve;
  const layer_replay replay(trace, layer, options.query_tokens);
  distance_counter counter(replay, curve);
  counter.run(options.skip_steps);
  // deeper_[C] sums uses_at[C + 1 ..].
  curve.deeper_.assign(counter.uses_at().size(), 0);
  for (std::size_t c = curve.deeper_.size() - 1; c-- > 0;) {
    curve.deeper_[c] = curve.deeper_[c + 1] + counter.uses_at()[c + 1];
  }
  return curve;
}

}  // namespace ess
