// What kind of memory an address of a running kernel is. Internal to the checker.
#pragma once

#include "ess_core/device/cuda/emulation/block.h"

namespace ess::emulation {

enum class space {
  own,            // the thread's stack, or what the stand-in gives it to read: nothing to check
  constant,       // the program's
  shared,         // dynamic
  static_shared,  // __shared__ variables
  global,         // device memory, mapped host memory, the program's variables
  beyond_shared,  // of the block's dynamic shared memory
  other_stack,    // another thread's
  unknown,        // plain host memory, freed memory, beyond an allocation
};

// The thread's OS thread is the caller's.
space space_of(const block_thread& t, std::uintptr_t at, std::size_t bytes);
// "dynamic shared memory + 12"
std::string describe(const block_thread& t, std::uintptr_t at, space where);

}  // namespace ess::emulation
