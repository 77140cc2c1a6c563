// Hands out contiguous ranges of a region: index pages, device rows, staging rows, host rows of a request.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace ess {

class extent_allocator {
 public:
  explicit extent_allocator(std::int64_t size);

  // First fit; empty when no free range is long enough. A length of 0 succeeds and takes nothing.
  [[nodiscard]] std::optional<std::int64_t> take(std::int64_t length);
  // Gives back exactly what `take` returned for that length.
  void give_back(std::int64_t first, std::int64_t length);
  [[nodiscard]] std::int64_t free() const;

 private:
  std::map<std::int64_t, std::int64_t> free_;  // first -> length, never adjacent
};

}  // namespace ess
