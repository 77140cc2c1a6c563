// Scattered rows from one place to another.
#pragma once

#include <cstdint>

namespace ess::cpu {

enum class row_stores {
  cached,     // the places are in this core's cache, or this core reads the rows next
  streaming,  // neither: whole lines go to memory, and are not fetched from there first
};

struct row_copy_params {
  const std::uint8_t* from;
  std::int64_t from_pitch;        // bytes from one row to the next
  const std::int32_t* from_rows;  // [n]
  std::uint8_t* to;
  std::int64_t to_pitch;
  const std::int32_t* to_rows;  // [n]
  std::int64_t n;
  std::int64_t row_bytes;
  row_stores stores = row_stores::cached;
};

// Copies row from_rows[i] to row to_rows[i] for all i in order; returns the bytes moved.
std::int64_t copy_rows(const row_copy_params& params);

}  // namespace ess::cpu
