// What a device knows of a request, and what it counts for it: plain data that kernels read and write, too.
#pragma once

#include <cstdint>

#include "ess_core/base/units.h"

namespace ess {

// What a request occupies and where it stands. Written before each step.
struct seat_state {
  request_id request = -1;
  std::int32_t home = 0;  // which of the shape's places holds its pool; seats may be renumbered, homes not
  token_id position = 0;  // of the first query token of this step
  std::int32_t new_tokens = 0;   // appended in this step; 0 during warm-up
  std::int32_t kept = 0;         // of them, those that will not be rejected; devices need not know
  std::int64_t index_base = 0;   // first token of its extent in index_keys, multiple of 64
  std::int64_t device_base = 0;  // first row in `latents`
  std::int64_t device_rows = 0;
  std::int64_t staging_base = 0;
  std::int64_t host_base = 0;  // first row in the host store
  std::int64_t map_base = 0;   // first token in the pool's map
  std::int64_t map_tokens = 0;
};

// Per layer and seat, of one step. asked = hits + misses counts distinct rows; rows_in, rows_out and ahead_in
// crossed the link.
struct row_counters {
  std::int32_t asked = 0;
  std::int32_t hits = 0;
  std::int32_t misses = 0;
  std::int32_t rows_in = 0;
  std::int32_t rows_out = 0;
  std::int32_t ahead_in = 0;    // fetched ahead
  std::int32_t ahead_used = 0;  // fetched ahead in an earlier step, asked for in this one for the first time
  std::int32_t ahead_lost = 0;  // fetched ahead, left without having been asked for
};

}  // namespace ess
