// What the stand-in tells AddressSanitizer, where a program is built with it. The stand-in itself is built
// without.
#pragma once

#include <cstddef>

extern "C" {
void __sanitizer_start_switch_fiber(void** fake_stack, const void* stack, std::size_t bytes)
    __attribute__((weak));
void __sanitizer_finish_switch_fiber(void* fake_stack, const void** old, std::size_t* bytes)
    __attribute__((weak));
void __asan_poison_memory_region(const volatile void* p, std::size_t bytes) __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void* p, std::size_t bytes) __attribute__((weak));
void* __tsan_get_current_fiber() __attribute__((weak));
}

namespace ess::emulation {

inline bool address_sanitizer() { return __asan_poison_memory_region != nullptr; }

inline bool thread_sanitizer() { return __tsan_get_current_fiber != nullptr; }

inline void poison(const void* p, std::size_t bytes) {
  if (address_sanitizer()) __asan_poison_memory_region(p, bytes);
}
inline void unpoison(const void* p, std::size_t bytes) {
  if (address_sanitizer()) __asan_unpoison_memory_region(p, bytes);
}

}  // namespace ess::emulation
