// Typed reads of device buffers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ess_core/device/device.h"

namespace harness {

// `count` elements from element `first` on.
template <class T>
[[nodiscard]] std::vector<T> read_values(const ess::device& from, ess::buffer_id buffer, std::int64_t first,
                                         std::int64_t count) {
  std::vector<T> out(static_cast<std::size_t>(count));
  from.read(buffer, first * std::int64_t{sizeof(T)}, std::as_writable_bytes(std::span(out)));
  return out;
}

}  // namespace harness
