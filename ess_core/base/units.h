// Units that the whole library speaks in.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>

namespace ess {

// A number of bytes. Signed, so that differences and "over budget by" need no care.
struct byte_count {
  std::int64_t value = 0;

  friend constexpr auto operator<=>(byte_count, byte_count) = default;
  constexpr byte_count& operator+=(byte_count other) { return value += other.value, *this; }
  friend constexpr byte_count operator+(byte_count a, byte_count b) { return {a.value + b.value}; }
  friend constexpr byte_count operator-(byte_count a, byte_count b) { return {a.value - b.value}; }
  friend constexpr byte_count operator*(byte_count a, std::int64_t n) { return {a.value * n}; }
  friend constexpr byte_count operator*(std::int64_t n, byte_count a) { return a * n; }
};

// "129.4 MB" (powers of ten, as link speeds and data sheets count).
[[nodiscard]] std::string to_string(byte_count bytes);

using token_id = std::int32_t;    // position of a token in its request's context, from 0
using request_id = std::int32_t;  // unique within a run
using microseconds = std::chrono::duration<double, std::micro>;
using seconds = std::chrono::duration<double>;

}  // namespace ess
