#include "ess_core/engine/extent_allocator.h"

#include <iterator>

namespace ess {

extent_allocator::extent_allocator(std::int64_t size) {
  if (size > 0) free_[0] = size;
}

std::optional<std::int64_t> extent_allocator::take(std::int64_t length) {
  if (length == 0) return 0;
  for (auto it = free_.begin(); it != free_.end(); ++it) {
    const auto [first, available] = *it;
    if (available < length) continue;
    free_.erase(it);
    if (available > length) free_[first + length] = available - length;
    return first;
  }
  return std::nullopt;
}

void extent_allocator::give_back(std::int64_t first, std::int64_t length) {
  if (length == 0) return;
  const auto next = free_.upper_bound(first);
  if (next != free_.end() && next->first == first + length) {
    length += next->second;
    free_.erase(next);
  }
  const auto after = free_.upper_bound(first);
  if (after != free_.begin()) {
    const auto before = std::prev(after);
    if (before->first + before->second == first) {
      before->second += length;
      return;
    }
  }
  free_[first] = length;
}

std::int64_t extent_allocator::free() const {
  std::int64_t sum = 0;
  for (const auto& [first, length] : free_) sum += length;
  return sum;
}

}  // namespace ess
