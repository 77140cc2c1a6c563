// What the checker remembers of each word of memory: who touched it since the launch began. Internal to the
// checker.
#pragma once

#include <array>
#include <memory>
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
  std::uint32_t block =
      ~0u;  // whose shared memory it is, which forgets what other blocks did; global memory has none
  std::uint8_t written = 0;  // bytes
  std::vector<past_access> accesses;
};

class shadow {
 public:
  void clear() {
    pages_.clear();
    last_ = nullptr;
  }
  // Of the eight bytes at `granule`.
  shadow_cell& cell(std::uintptr_t granule) {
    const std::uintptr_t at = granule / page_bytes;
    if (last_ == nullptr || at != last_at_) {
      std::unique_ptr<page>& found = pages_[at];
      if (found == nullptr) found = std::make_unique<page>();
      last_ = found.get();
      last_at_ = at;
    }
    return (*last_)[granule % page_bytes / 8];
  }

 private:
  static constexpr std::uintptr_t page_bytes = 1024;
  using page = std::array<shadow_cell, page_bytes / 8>;
  std::unordered_map<std::uintptr_t, std::unique_ptr<page>> pages_;
  page* last_ = nullptr;
  std::uintptr_t last_at_ = 0;
};

// Adds an access of thread `index`; the one that it races with, if any. Two reads do not race, nor two
// atomics. Keeps at most a dozen accesses that none of the later ones stands for: with more readers some are
// forgotten.
std::optional<past_access> add_access(shadow_cell& cell, const past_access& a, std::uint32_t index,
                                      const clocks& order);

}  // namespace ess::emulation
