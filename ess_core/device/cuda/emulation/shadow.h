// What the checker remembers of each word of memory: who touched it since the launch began. Internal to the
// checker.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "ess_core/device/cuda/emulation/checker_hooks.h"
#include "ess_core/device/cuda/emulation/clocks.h"

namespace ess::emulation {

struct past_access {
  thread_id thread;
  std::uint32_t time;
  const void* program_counter;
  std::uint8_t bytes;  // of the eight; one bit each
  access_kind kind;
};

// Eight bytes, aligned.
struct shadow_cell {
  std::uint32_t block = ~0u;  // whose shared memory it is; global memory is everyone's
  std::uint8_t written = 0;   // bytes
  std::vector<past_access> accesses;
};

class shadow {
 public:
  void clear() { cells_.clear(); }
  // For shared memory, what other blocks did is forgotten.
  shadow_cell& cell(std::uintptr_t granule) { return cells_[granule]; }

 private:
  std::unordered_map<std::uintptr_t, shadow_cell> cells_;
};

// Adds an access of thread `index`; the one that it races with, if any. Two reads do not race, nor two
// atomics. Keeps at most a dozen accesses that none of the later ones stands for: with more readers some are
// forgotten.
std::optional<past_access> add_access(shadow_cell& cell, const past_access& a, std::uint32_t index,
                                      const clocks& order);

}  // namespace ess::emulation
