// What a kernel sees of the CUDA thread that it runs as.
#pragma once

#include <cstdint>

#include "ess_core/device/cuda/emulation/vector_types.h"

namespace ess::emulation {

struct thread_view {
  uint3 thread_index;
  std::uint32_t lane;
  const uint3* block_index;
  const dim3* block_size;
  const dim3* grid_size;
};

// Of this OS thread; null outside kernels. Alone on its cache line: the checker tells it from __shared__
// memory.
extern constinit thread_local thread_view* current;

// Where a kernel calls something, for reports.
struct call_site {
  const char* file;
  int line;
  static constexpr call_site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

}  // namespace ess::emulation
