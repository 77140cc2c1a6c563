// CUDA's language for kernels, on the CPU: qualifiers, built-in variables, barriers and warp operations.
#pragma once

#include <math.h>

#include <cmath>
#include <cstring>
#include <type_traits>

#include "ess_core/device/cuda/emulation/cuda_runtime.h"
#include "ess_core/device/cuda/emulation/kernel_calls.h"

#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __restrict__ __restrict
#define __constant__
#define __launch_bounds__(...)
#define __grid_constant__
// One copy for each OS thread, and an OS thread runs one block at a time. At block scope it is static.
#define __shared__ thread_local

#define threadIdx (::ess::emulation::current->thread_index)
#define blockIdx (*::ess::emulation::current->block_index)
#define blockDim (*::ess::emulation::current->block_size)
#define gridDim (*::ess::emulation::current->grid_size)

#define ESS_AT ::ess::emulation::call_site at = ::ess::emulation::call_site::here()

namespace ess::emulation {

inline constexpr int warpSize = 32;

template <class T>
std::uint64_t bits_of(T value) {
  static_assert(sizeof(T) <= 8);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}
template <class T>
T of_bits(std::uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// ---- barriers and fences
inline void __syncthreads(ESS_AT) { meet_at_barrier(barrier_kind::sync, 0, at); }
inline int __syncthreads_count(int p, ESS_AT) { return meet_at_barrier(barrier_kind::count, p, at); }
inline int __syncthreads_and(int p, ESS_AT) { return meet_at_barrier(barrier_kind::all, p, at); }
inline int __syncthreads_or(int p, ESS_AT) { return meet_at_barrier(barrier_kind::any, p, at); }
inline void __syncwarp(unsigned mask = ~0u, ESS_AT) { sync_warp(mask, at); }
inline void __threadfence(ESS_AT) { fence(at); }
inline void __threadfence_block(ESS_AT) { fence(at); }
inline void __threadfence_system(ESS_AT) { fence(at); }
inline void __nanosleep(unsigned) { sleep(); }
inline void __trap(ESS_AT) { trap(at); }

// ---- warp operations. A lane that would read beyond its group of `width` lanes reads itself.
inline unsigned __activemask() { return active_lanes(); }
template <class T>
T shuffle_value(unsigned mask, T value, int from, call_site at) {
  return of_bits<T>(shuffle(mask, bits_of(value), static_cast<std::uint32_t>(from), at));
}
inline int this_lane() { return static_cast<int>(current->lane); }
template <class T>
T __shfl_sync(unsigned mask, T value, int from, int width = 32, ESS_AT) {
  return shuffle_value(mask, value, (this_lane() & -width) + (from & (width - 1)), at);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, ESS_AT) {
  const int lane = this_lane(), from = lane - static_cast<int>(delta);
  return shuffle_value(mask, value, from < (lane & -width) ? lane : from, at);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, ESS_AT) {
  const int lane = this_lane(), from = lane + static_cast<int>(delta);
  return shuffle_value(mask, value, from >= (lane & -width) + width ? lane : from, at);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, ESS_AT) {
  const int lane = this_lane(), from = lane ^ lanes;
  return shuffle_value(mask, value, from >= (lane & -width) + width ? lane : from, at);
}
inline unsigned __ballot_sync(unsigned mask, int p, ESS_AT) {
  return static_cast<unsigned>(vote(vote_kind::ballot, mask, p != 0, at));
}
inline int __any_sync(unsigned mask, int p, ESS_AT) {
  return static_cast<int>(vote(vote_kind::any, mask, p != 0, at));
}
inline int __all_sync(unsigned mask, int p, ESS_AT) {
  return static_cast<int>(vote(vote_kind::all, mask, p != 0, at));
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value, ESS_AT) {
  return static_cast<unsigned>(
      vote(vote_kind::match_any, mask, static_cast<std::int64_t>(bits_of(value)), at));
}
template <class T>
unsigned __match_all_sync(unsigned mask, T value, int* same, ESS_AT) {
  const auto lanes = vote(vote_kind::match_all, mask, static_cast<std::int64_t>(bits_of(value)), at);
  *same = lanes != 0;
  return static_cast<unsigned>(lanes);
}
#define ESS_REDUCE(name, kind, type)                                      \
  inline type __reduce_##name##_sync(unsigned mask, type value, ESS_AT) { \
    return static_cast<type>(vote(vote_kind::kind, mask, value, at));     \
  }
ESS_REDUCE(add, add, unsigned)
ESS_REDUCE(add, add, int)
ESS_REDUCE(min, min, unsigned)
ESS_REDUCE(min, min, int)
ESS_REDUCE(max, max, unsigned)
ESS_REDUCE(max, max, int)
ESS_REDUCE(and, bit_and, unsigned)
ESS_REDUCE(or, bit_or, unsigned)
ESS_REDUCE(xor, bit_xor, unsigned)
#undef ESS_REDUCE

// ---- atomics, relaxed as CUDA's are
template <class T, class F>
__attribute__((no_sanitize("thread"))) T change_atomically(T* p, F f) {
  using word = std::conditional_t<sizeof(T) == 8, std::uint64_t,
                                  std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint16_t>>;
  static_assert(sizeof(T) == sizeof(word));
  before_atomic(p, sizeof(T));
  word* const at = reinterpret_cast<word*>(p);
  word old = __atomic_load_n(at, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(at, &old, static_cast<word>(bits_of(f(of_bits<T>(old)))), true,
                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return of_bits<T>(old);
}
#define ESS_ATOMIC(name, expression)                                                     \
  template <class T>                                                                     \
  T atomic##name(T* p, std::type_identity_t<T> v) {                                      \
    return change_atomically(p, [v](T old) -> T { return static_cast<T>(expression); }); \
  }                                                                                      \
  template <class T>                                                                     \
  T atomic##name##_block(T* p, std::type_identity_t<T> v) {                              \
    return atomic##name(p, v);                                                           \
  }                                                                                      \
  template <class T>                                                                     \
  T atomic##name##_system(T* p, std::type_identity_t<T> v) {                             \
    return atomic##name(p, v);                                                           \
  }
ESS_ATOMIC(Add, old + v)
ESS_ATOMIC(Sub, old - v)
ESS_ATOMIC(Exch, (static_cast<void>(old), v))
ESS_ATOMIC(Min, v < old ? v : old)
ESS_ATOMIC(Max, old < v ? v : old)
ESS_ATOMIC(And, old& v)
ESS_ATOMIC(Or, old | v)
ESS_ATOMIC(Xor, old ^ v)
ESS_ATOMIC(Inc, old >= v ? 0 : old + 1)
ESS_ATOMIC(Dec, old == 0 || old > v ? v : old - 1)
#undef ESS_ATOMIC
template <class T>
T atomicCAS(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> desired) {
  return change_atomically(p, [=](T old) -> T { return bits_of(old) == bits_of(expected) ? desired : old; });
}

// ---- loads and stores with cache hints
#define ESS_LOAD(name) \
  template <class T>   \
  T name(const T* p) { \
    return *p;         \
  }
ESS_LOAD(__ldg)
ESS_LOAD(__ldca)
ESS_LOAD(__ldcg)
ESS_LOAD(__ldcs)
ESS_LOAD(__ldcv)
#undef ESS_LOAD
#define ESS_STORE(name)                            \
  template <class T>                               \
  void name(T* p, std::type_identity_t<T> value) { \
    *p = value;                                    \
  }
ESS_STORE(__stwb)
ESS_STORE(__stcg)
ESS_STORE(__stcs)
ESS_STORE(__stwt)
#undef ESS_STORE

}  // namespace ess::emulation

#include "ess_core/device/cuda/emulation/arithmetic.h"
#include "ess_core/device/cuda/emulation/launch.h"
