#include "ess_core/device/cuda/emulation/shadow.h"

#include <algorithm>

namespace ess::emulation {
namespace {

constexpr std::size_t most_accesses = 12;

// Atomics on a word come one after the other: who did the last one may go on without.
bool both_atomic(const past_access& a, const past_access& b) {
  return a.kind == access_kind::atomic && b.kind == access_kind::atomic;
}

bool conflict(const past_access& a, const past_access& b) {
  return !both_atomic(a, b) && (a.kind != access_kind::read || b.kind != access_kind::read);
}

// Whoever is unordered with `old` and would race with it also does with `a`, which came after it.
bool stands_for(const past_access& a, const past_access& old) {
  return (a.kind == access_kind::write || a.kind == old.kind) && (old.bytes & ~a.bytes) == 0;
}

void make_room(std::vector<past_access>& accesses) {
  if (accesses.size() < most_accesses) return;
  const auto read = std::find_if(accesses.begin(), accesses.end(),
                                 [](const past_access& a) { return a.kind == access_kind::read; });
  accesses.erase(read == accesses.end() ? accesses.begin() : read);
}

}  // namespace

std::optional<past_access> add_access(shadow_cell& cell, const past_access& a, std::uint32_t index,
                                      const clocks& order) {
  std::vector<past_access>& accesses = cell.accesses;
  for (std::size_t i = 0; i < accesses.size();) {
    const past_access& old = accesses[i];
    const bool known = order.knows(index, old.thread, old.time);
    if (!known && (old.bytes & a.bytes) != 0 && conflict(a, old)) return old;
    if ((known || both_atomic(a, old)) && stands_for(a, old)) {
      accesses.erase(accesses.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  make_room(accesses);
  accesses.push_back(a);
  return std::nullopt;
}

}  // namespace ess::emulation
