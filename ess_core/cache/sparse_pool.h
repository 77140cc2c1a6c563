// The Sparse Memory Pool of one request and layer: which rows the device holds, and which it gives up.
//
// A step is atomic under every policy. Hits are judged against the pool as the step found it; rows of the
// step are never victims of the step; the step's new tokens are admitted without a fetch. A row is used in
// the order (step, query token, rank), a new token just before its own query. If a step's rows exceed the
// pool, new tokens are admitted first, then the later misses; the first misses go to staging rows and are not
// admitted.
//
// Several query tokens (MTP): what a step appends may be rejected afterwards. The next step then begins at
// the first rejected token, and its new tokens, as many as before, take the place of the rejected ones: any
// token from `first_new` on that the pool still holds is a rejected draft and leaves before anything else
// happens. Rows that a rejected query asked for stay as they are.
//
// A direct token -> slot map makes a step O(selected ids), whatever the pool's size; which row is the victim
// is the policy's (ess_core/cache/policies). The kind hash_scan has no map (ess_core/cache/hash_scan.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "ess_core/base/random.h"
#include "ess_core/cache/pool_memory.h"
#include "ess_core/step/operation.h"
#include "ess_core/step/pool_kind.h"

namespace ess {

// Borrowed memory of one pool of C slots, in the sizes of `footprint_of(kind)`, which the memory budget
// counts.
struct pool_view {
  pool_kind kind = pool_kind::lru;
  pool_header* header = nullptr;
  std::span<slot_id> slot_of;      // [tokens of the context]; none for hash_scan
  std::span<token_id> token_of;    // [C]
  std::span<std::uint32_t> stamp;  // [C]
  std::span<slot_id> order;        // [C] times entries a slot
};

struct resolve_input {
  std::span<const token_id> selected;  // [query tokens][top_k], each ascending, -1 padded at the end
  std::int32_t query_tokens = 1;
  token_id first_new = 0;  // tokens appended in this step: first_new .. first_new + new_tokens - 1
  std::int32_t new_tokens = 0;
  std::span<const float> scores = {};  // score_aware: of every token, from the last query token
  counter_rng draws = counter_rng(0, purpose::eviction);  // random: draws of this pool start at `first_draw`
  std::uint64_t first_draw = 0;
};

// Rows fetched ahead (prefetch): how many a step asked for, each counted once; how many left before anybody
// asked.
struct ahead_rows {
  std::int32_t used = 0;
  std::int32_t lost = 0;
};

struct resolve_output {
  std::span<row_location> locations;  // [query tokens][top_k]
  std::span<row_miss> misses;         // room for every selected id
  std::int32_t asked = 0;             // distinct rows
  std::int32_t missed = 0;            // entries of `misses`
  ahead_rows ahead = {};              // the step before this one's prefetch may have lost some too
};

// Empties the pool, whatever its memory holds.
void reset(const pool_view& pool);
// Throws std::invalid_argument where there is no pool.
void resolve(const pool_view& pool, const resolve_input& in, resolve_output& out);

// Without a pool: every row of the union over query tokens is a miss and has a place of its own.
void stage_all(std::span<const token_id> selected, std::int32_t query_tokens, resolve_output& out);

// Between steps, LRU only: a slot for a row that is fetched ahead. In a full pool the row used longest ago
// leaves for it and leaves it its place in the order, so the newcomer goes first if nobody asks for it; none
// leaves that the last step used or that came since. Nothing if the pool has the row, or no place. `lost`
// counts rows fetched ahead before that leave unasked.
[[nodiscard]] std::optional<slot_id> admit_ahead(const pool_view& pool, token_id token, std::int32_t& lost);

}  // namespace ess
