#include "ess_core/device/cpu/kernels/row_copy.h"

#include <algorithm>
#include <cstring>

namespace ess::cpu {
namespace {

constexpr std::int64_t line = 64;
constexpr std::int64_t rows_ahead =
    8;  // 8 x 656 B in flight cover the latency of DRAM at one core's bandwidth

void prefetch(const std::uint8_t* row, std::int64_t bytes) {
  for (std::int64_t i = 0; i < bytes; i += line) __builtin_prefetch(row + i);
}

}  // namespace

std::int64_t copy_rows(const row_copy_params& p) {
  const auto source = [&](std::int64_t i) { return p.from + p.from_rows[i] * p.from_pitch; };
  for (std::int64_t i = 0; i < std::min(rows_ahead, p.n); ++i) prefetch(source(i), p.row_bytes);
  for (std::int64_t i = 0; i < p.n; ++i) {
    if (i + rows_ahead < p.n) prefetch(source(i + rows_ahead), p.row_bytes);
    std::memcpy(p.to + p.to_rows[i] * p.to_pitch, source(i), static_cast<std::size_t>(p.row_bytes));
  }
  return p.n * p.row_bytes;
}

}  // namespace ess::cpu
