#include "ess_core/cache/sparse_pool.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "ess_core/cache/hash_scan.h"
#include "ess_core/cache/policies/clock.h"
#include "ess_core/cache/policies/fifo.h"
#include "ess_core/cache/policies/lru.h"
#include "ess_core/cache/policies/random.h"
#include "ess_core/cache/policies/score_aware.h"
#include "ess_core/cache/policies/sieve.h"
#include "ess_core/cache/pool_step.h"

namespace ess {

void reset(const pool_view& pool) {
  *pool.header = {};
  if (pool.kind == pool_kind::fifo || pool.kind == pool_kind::sieve) slot_list::clear(*pool.header);
  if (pool.kind == pool_kind::sieve) pool.header->hand = no_slot;
  if (pool.kind == pool_kind::hash_scan) hash_scan::clear(pool);
  std::fill(pool.slot_of.begin(), pool.slot_of.end(), absent);
}

// Ids ascend, so the union is a merge.
void stage_all(std::span<const token_id> selected, std::int32_t query_tokens, resolve_output& out) {
  const auto queries = static_cast<std::size_t>(query_tokens);
  const std::size_t top_k = selected.size() / queries;
  std::array<std::size_t, max_query_tokens> next{};
  const auto left = [&](std::size_t query) {
    return next[query] < top_k ? selected[query * top_k + next[query]] : -1;
  };
  std::ranges::fill(out.locations, no_location);
  for (;;) {
    token_id token = -1;
    for (std::size_t query = 0; query < queries; ++query) {
      const token_id first = left(query);
      if (first >= 0 && (token < 0 || first < token)) token = first;
    }
    if (token < 0) break;
    const std::int32_t place = out.missed++;
    out.misses[static_cast<std::size_t>(place)] = {token, place};
    for (std::size_t query = 0; query < queries; ++query) {
      if (left(query) == token) out.locations[query * top_k + next[query]++] = place | incoming_flag;
    }
  }
  out.asked = out.missed;
}

void resolve(const pool_view& pool, const resolve_input& in, resolve_output& out) {
  switch (pool.kind) {
    case pool_kind::lru:
      return pool_step<lru_policy>(pool, in, out).run();
    case pool_kind::fifo:
      return pool_step<fifo_policy>(pool, in, out).run();
    case pool_kind::random:
      return pool_step<random_policy>(pool, in, out).run();
    case pool_kind::clock:
      return pool_step<clock_policy>(pool, in, out).run();
    case pool_kind::sieve:
      return pool_step<sieve_policy>(pool, in, out).run();
    case pool_kind::score_aware:
      return pool_step<score_aware_policy>(pool, in, out).run();
    case pool_kind::hash_scan:
      return hash_scan::resolve(pool, in, out);
    case pool_kind::none:
      break;
  }
  throw std::invalid_argument("no pool to resolve in");
}

std::optional<slot_id> admit_ahead(const pool_view& pool, token_id token, std::int32_t& lost) {
  if (pool.kind != pool_kind::lru) throw std::invalid_argument("rows are fetched ahead into LRU pools only");
  slot_id& slot = pool.slot_of[static_cast<std::size_t>(token)];
  if (slot != absent) return std::nullopt;
  const bool full = pool.header->used == pool.token_of.size();
  lru_policy lru(pool);
  const std::optional<slot_id> place = lru.admit_ahead();
  lost += lru.ahead_of_step().lost;
  if (!place) return std::nullopt;
  if (full) pool.slot_of[static_cast<std::size_t>(pool.token_of[*place])] = absent;
  pool.token_of[*place] = token;
  slot = *place;
  return place;
}

}  // namespace ess
