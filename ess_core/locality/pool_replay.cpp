#include "ess_core/locality/pool_replay.h"

#include <stdexcept>
#include <vector>

#include "ess_core/cache/owned_pool.h"

namespace ess {
namespace {

class replayed_pool {
 public:
  replayed_pool(pool_kind policy, std::size_t tokens, std::size_t slots) : pool_(policy, tokens, slots) {}

  std::int32_t missed(std::span<const token_id> selected, token_id first_new, std::int32_t query_tokens) {
    locations_.resize(selected.size());
    misses_.resize(selected.size());
    resolve_output out{.locations = locations_, .misses = misses_};
    resolve(pool_.view(),
            {.selected = selected,
             .query_tokens = query_tokens,
             .first_new = first_new,
             .new_tokens = query_tokens},
            out);
    return out.missed;
  }

 private:
  owned_pool pool_;
  std::vector<row_location> locations_;
  std::vector<row_miss> misses_;
};

}  // namespace

bool can_replay(pool_kind policy) { return policy != pool_kind::none && policy != pool_kind::score_aware; }

std::int64_t replay_misses(const index_trace& trace, std::int32_t layer, pool_kind policy,
                           std::int64_t pool_rows, const replay_options& options) {
  if (!can_replay(policy)) throw std::invalid_argument("a trace cannot replay this policy");
  if (pool_rows < 1 || pool_rows > max_pool_slots) throw std::invalid_argument("no pool has so many rows");
  const layer_replay replay(trace, layer, options.query_tokens);
  replayed_pool pool(policy, replay.tokens(), static_cast<std::size_t>(pool_rows));
  std::vector<token_id> selected;
  std::int64_t misses = 0;
  for (std::int32_t step = 0; step < replay.steps(); ++step) {
    selected.clear();
    for (std::int32_t query = 0; query < options.query_tokens; ++query) {
      const auto ids = trace.selected(step * options.query_tokens + query, layer);
      selected.insert(selected.end(), ids.begin(), ids.end());
    }
    const std::int32_t missed = pool.missed(selected, replay.first_new(step), options.query_tokens);
    if (step >= options.skip_steps) misses += missed;
  }
  return misses;
}

std::optional<std::int64_t> lru_misses(const miss_curve& curve, const index_trace& trace, std::int32_t layer,
                                       std::int64_t pool_rows, const replay_options& options) {
  if (pool_rows >= curve.smallest_pool) return curve.misses(pool_rows);
  if (pool_rows > max_pool_slots) return std::nullopt;
  return replay_misses(trace, layer, pool_kind::lru, pool_rows, options);
}

}  // namespace ess
