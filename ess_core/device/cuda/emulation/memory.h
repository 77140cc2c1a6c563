// Memory that the stand-in gave out or knows. Internal to the stand-in.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ess_core/device/cuda/emulation/cuda_runtime.h"

namespace ess::emulation {

enum class memory_kind { device, pinned, registered };
struct allocation {
  std::byte* data;
  std::size_t bytes;
  memory_kind kind;
  std::byte* mapping;  // with its guard pages; null if registered
  std::size_t mapping_bytes;
};
// The one that holds p, or null.
const allocation* find_allocation(const volatile void* p);
// Whether [p, p + n) lies within one allocation, or outside all.
bool range_is_whole(const void* p, std::size_t n);

// While one lives this OS thread, and those that it starts, may touch device memory. Others may not, where
// the processor has protection keys (x86 since 2017).
class device_access {
 public:
  device_access();
  ~device_access();
  device_access(const device_access&) = delete;
  device_access& operator=(const device_access&) = delete;
};

struct memory_counts {
  int device, pinned, registered;
};
memory_counts count_memory();

}  // namespace ess::emulation
