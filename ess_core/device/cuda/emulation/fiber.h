// A stack of its own for each CUDA thread, and the switch between them.
#pragma once

#include <cstddef>

#if !defined(__x86_64__) || defined(ESSBENCH_UCONTEXT)
#define ESS_EMULATION_UCONTEXT 1
#include <ucontext.h>
#endif

namespace ess::emulation {

struct fiber {
  void* stack_pointer = nullptr;  // while it does not run
  std::byte* stack = nullptr;     // its lowest byte
  std::size_t stack_bytes = 0;
  void* fake_stack = nullptr;  // AddressSanitizer's
#ifdef ESS_EMULATION_UCONTEXT
  ucontext_t context;
#endif
};

// `f` shall run `body` on [stack, stack + bytes) when it is switched to. body never returns: it ends in
// leave().
void prepare(fiber& f, std::byte* stack, std::size_t bytes, void (*body)());
// Describes the stack on which the caller runs.
void adopt_this_thread(fiber& f);
// Runs `to` until something switches back to `from`.
void switch_fiber(fiber& from, fiber& to);
// As switch_fiber, and `from` never runs again.
[[noreturn]] void leave(fiber& from, fiber& to);
// First thing a new fiber does.
void arrive_on(fiber& self);

}  // namespace ess::emulation
