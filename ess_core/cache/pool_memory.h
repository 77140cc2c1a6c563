// What the memory of a pool holds beside its columns: plain data that kernels read and write, too.
#pragma once

#include <cstdint>

#include "ess_core/base/units.h"
#include "ess_core/step/pool_kind.h"
#include "ess_core/step/row_location.h"

namespace ess {

using slot_id = std::uint16_t;
inline constexpr std::int64_t max_pool_slots = 65'000;  // staging rows and a few marks share the 16 bits

// A row to bring in: from its token's place in the host store to `location` (without flag).
struct row_miss {
  token_id token;
  row_location location;
};

struct pool_header {
  std::uint32_t step = 0;   // of the last resolve
  std::uint32_t begin = 0;  // of the order: the policy's
  std::uint32_t end = 0;
  slot_id used = 0;                                       // slots that hold a row
  slot_id hand = 0;                                       // the policy's
  row_location new_rows[max_query_tokens] = {};  // where the tokens appended in this step go
};
static_assert(sizeof(pool_header) == pool_header_bytes);

// Codes in `slot_of` that are neither a slot nor, from C on, a staging row of the running step.
inline constexpr slot_id absent = 0xffff;
inline constexpr slot_id wanted = 0xfffe;       // missed by this step
inline constexpr slot_id fresh = 0xfffd;        // appended by this step
inline constexpr slot_id fresh_asked = 0xfffc;  // appended and selected by this step
static_assert(max_pool_slots + max_query_tokens < fresh_asked);

}  // namespace ess
