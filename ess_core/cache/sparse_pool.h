// The Sparse Memory Pool of one request and layer: which rows the device holds, and in which order they were
// used.
//
// Eviction is exact LRU and step-atomic. Hits are judged against the pool as the step found it; rows of the
// step are never victims of the step; afterwards rows are ordered by their last use (step, query token,
// rank), a new token counting as used just before its own query. A direct token -> slot map and a doubly
// linked use order make a step O(selected ids), whatever the pool's size. If a step's rows exceed the pool,
// the first misses of the step go to staging rows and are not admitted.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "ess_core/base/units.h"
#include "ess_core/step/operation.h"

namespace ess {

using slot_id = std::uint16_t;
inline constexpr std::int64_t max_pool_slots = 65'000;  // staging rows and four marks share the 16 bits
inline constexpr std::int32_t max_query_tokens = 4;

// A row to bring in: from its token's place in the host store to `location` (without flag).
struct row_miss {
  token_id token;
  row_location location;
};

struct pool_header {
  std::uint32_t step = 0;  // of the last resolve
  std::uint32_t used = 0;  // slots that hold a row
  slot_id oldest = 0;
  slot_id newest = 0;
  std::array<row_location, max_query_tokens> new_rows{};  // where the tokens appended in this step go
};

// Borrowed memory of one pool of C slots. Sizes per token and slot are what the memory budget counts.
struct pool_view {
  pool_header* header = nullptr;
  std::span<slot_id> slot_of;      // [tokens of the context]
  std::span<token_id> token_of;    // [C]
  std::span<std::uint32_t> stamp;  // [C] when the slot was last used
  std::span<slot_id> older;        // [C] neighbours in use order
  std::span<slot_id> newer;        // [C]
};

struct resolve_input {
  std::span<const token_id> selected;  // [query tokens][top_k], -1 padded
  std::int32_t query_tokens = 1;
  token_id first_new = 0;  // tokens appended in this step: first_new .. first_new + new_tokens - 1
  std::int32_t new_tokens = 0;
};

struct resolve_output {
  std::span<row_location> locations;  // [query tokens][top_k]
  std::span<row_miss> misses;         // room for every selected id
  std::int32_t asked = 0;             // distinct rows
  std::int32_t missed = 0;            // entries of `misses`
};

void reset(const pool_view& pool);
void resolve(const pool_view& pool, const resolve_input& in, resolve_output& out);

}  // namespace ess
