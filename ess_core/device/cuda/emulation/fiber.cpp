#include "ess_core/device/cuda/emulation/fiber.h"

#include <pthread.h>

#include <cstdlib>

#include "ess_core/device/cuda/emulation/sanitizers.h"

#ifndef ESS_EMULATION_UCONTEXT
// Saves what a function must preserve on the old stack and takes it from the new one.
extern "C" void ess_emulation_switch(void** save, void* load);
asm(R"(
.text
.p2align 4
.globl ess_emulation_switch
.type ess_emulation_switch,@function
ess_emulation_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size ess_emulation_switch,.-ess_emulation_switch
.section .note.GNU-stack,"",@progbits
.text
)");
#endif

namespace ess::emulation {
namespace {

void switch_stacks(fiber& from, fiber& to) {
#ifdef ESS_EMULATION_UCONTEXT
  swapcontext(&from.context, &to.context);
#else
  ess_emulation_switch(&from.stack_pointer, to.stack_pointer);
#endif
}

void announce(void** fake_stack, const fiber& to) {
  if (address_sanitizer()) __sanitizer_start_switch_fiber(fake_stack, to.stack, to.stack_bytes);
}

}  // namespace

void prepare(fiber& f, std::byte* stack, std::size_t bytes, void (*body)()) {
  f.stack = stack;
  f.stack_bytes = bytes;
  f.fake_stack = nullptr;
#ifdef ESS_EMULATION_UCONTEXT
  getcontext(&f.context);
  f.context.uc_stack.ss_sp = stack;
  f.context.uc_stack.ss_size = bytes;
  f.context.uc_link = nullptr;
  makecontext(&f.context, body, 0);
#else
  // As if body had been called from nowhere: a null return address, body, six saved registers.
  void** const top = reinterpret_cast<void**>(stack + bytes);
  top[-1] = nullptr;
  top[-2] = reinterpret_cast<void*>(body);
  for (int i = 3; i <= 8; ++i) top[-i] = nullptr;
  f.stack_pointer = top - 8;
#endif
}

void adopt_this_thread(fiber& f) {
  if (!address_sanitizer()) return;
  pthread_attr_t attributes;
  void* stack = nullptr;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &stack, &f.stack_bytes);
  pthread_attr_destroy(&attributes);
  f.stack = static_cast<std::byte*>(stack);
}

void arrive_on(fiber& self) {
  if (address_sanitizer()) __sanitizer_finish_switch_fiber(self.fake_stack, nullptr, nullptr);
}

void switch_fiber(fiber& from, fiber& to) {
  announce(&from.fake_stack, to);
  switch_stacks(from, to);
  arrive_on(from);
}

void leave(fiber& from, fiber& to) {
  announce(nullptr, to);
  switch_stacks(from, to);
  std::abort();
}

}  // namespace ess::emulation
