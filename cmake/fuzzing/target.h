// What a fuzz target defines, and what it may use to define it.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace fuzzing {

// Feeds a reader with `input`. False: refused in the way that the reader promises. Whatever else happens (a
// crash, an exception that is not promised, a broken promise) ends the process.
[[nodiscard]] bool accepts(std::string_view input);

// A promise of the reader about what it accepted.
inline void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

}  // namespace fuzzing
