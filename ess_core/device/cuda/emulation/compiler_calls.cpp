// What a compiler calls before the memory accesses of code that it was told to instrument for
// ThreadSanitizer.
#include <cstdint>
#include <cstring>
#include <string>

#include "ess_core/device/cuda/emulation/checker.h"
#include "ess_core/device/cuda/emulation/checker_hooks.h"

namespace ess::emulation {
namespace {

void on_access(const volatile void* p, std::size_t bytes, access_kind kind, const void* program_counter) {
  if (current == nullptr || checker == nullptr) return;
  block_thread& t = *running_thread();
  may_switch(t);
  checker->access(t, p, bytes, kind, program_counter);
}

// A compiler that believes an address aligned makes the GPU load it at once, which faults if it is not.
void on_aligned_access(const volatile void* p, std::size_t bytes, access_kind kind,
                       const void* program_counter) {
  if (current != nullptr && reinterpret_cast<std::uintptr_t>(p) % bytes != 0) {
    abandon(*running_thread(), cudaErrorMisalignedAddress,
            "access of " + std::to_string(bytes) + " bytes at " + hex(reinterpret_cast<std::uintptr_t>(p)) +
                ", which is not aligned to them");
  }
  on_access(p, bytes, kind, program_counter);
}

}  // namespace
}  // namespace ess::emulation

using ess::emulation::access_kind;
using ess::emulation::on_access;
using ess::emulation::on_aligned_access;
#define CALLER __builtin_return_address(0)

extern "C" {
void __tsan_init() { ess::emulation::install_checker(); }
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

// volatile is CUDA's relaxed access.
#define ACCESS(n)                                                                                   \
  void __tsan_read##n(void* p) { on_aligned_access(p, n, access_kind::read, CALLER); }              \
  void __tsan_write##n(void* p) { on_aligned_access(p, n, access_kind::write, CALLER); }            \
  void __tsan_unaligned_read##n(void* p) { on_access(p, n, access_kind::read, CALLER); }            \
  void __tsan_unaligned_write##n(void* p) { on_access(p, n, access_kind::write, CALLER); }          \
  void __tsan_volatile_read##n(void* p) { on_aligned_access(p, n, access_kind::atomic, CALLER); }   \
  void __tsan_volatile_write##n(void* p) { on_aligned_access(p, n, access_kind::atomic, CALLER); }  \
  void __tsan_unaligned_volatile_read##n(void* p) { on_access(p, n, access_kind::atomic, CALLER); } \
  void __tsan_unaligned_volatile_write##n(void* p) { on_access(p, n, access_kind::atomic, CALLER); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
#undef ACCESS
void __tsan_read_range(void* p, unsigned long bytes) { on_access(p, bytes, access_kind::read, CALLER); }
void __tsan_write_range(void* p, unsigned long bytes) { on_access(p, bytes, access_kind::write, CALLER); }
void* __tsan_memcpy(void* to, const void* from, unsigned long bytes) {
  on_access(from, bytes, access_kind::read, CALLER);
  on_access(to, bytes, access_kind::write, CALLER);
  return std::memcpy(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, unsigned long bytes) {
  on_access(from, bytes, access_kind::read, CALLER);
  on_access(to, bytes, access_kind::write, CALLER);
  return std::memmove(to, from, bytes);
}
void* __tsan_memset(void* to, int value, unsigned long bytes) {
  on_access(to, bytes, access_kind::write, CALLER);
  return std::memset(to, value, bytes);
}

// Atomics of host code in the same files; kernels use CUDA's.
#define ATOMIC_CHANGE(n, T, name)                              \
  T __tsan_atomic##n##_fetch_##name(volatile T* p, T v, int) { \
    return __atomic_fetch_##name(p, v, __ATOMIC_SEQ_CST);      \
  }
#define ATOMIC(n, T)                                                                                   \
  T __tsan_atomic##n##_load(const volatile T* p, int) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); } \
  void __tsan_atomic##n##_store(volatile T* p, T v, int) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); } \
  T __tsan_atomic##n##_exchange(volatile T* p, T v, int) {                                             \
    return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                                \
  }                                                                                                    \
  ATOMIC_CHANGE(n, T, add)                                                                             \
  ATOMIC_CHANGE(n, T, sub)                                                                             \
  ATOMIC_CHANGE(n, T, and)                                                                             \
  ATOMIC_CHANGE(n, T, or)                                                                              \
  ATOMIC_CHANGE(n, T, xor)                                                                             \
  ATOMIC_CHANGE(n, T, nand)                                                                            \
  int __tsan_atomic##n##_compare_exchange_strong(volatile T* p, T* expected, T v, int, int) {          \
    return __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);     \
  }                                                                                                    \
  int __tsan_atomic##n##_compare_exchange_weak(volatile T* p, T* expected, T v, int, int) {            \
    return __atomic_compare_exchange_n(p, expected, v, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);      \
  }                                                                                                    \
  T __tsan_atomic##n##_compare_exchange_val(volatile T* p, T expected, T v, int, int) {                \
    __atomic_compare_exchange_n(p, &expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);           \
    return expected;                                                                                   \
  }
ATOMIC(8, std::uint8_t)
ATOMIC(16, std::uint16_t)
ATOMIC(32, std::uint32_t)
ATOMIC(64, std::uint64_t)
#undef ATOMIC
#undef ATOMIC_CHANGE
void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void __tsan_atomic_signal_fence(int) {}
}
