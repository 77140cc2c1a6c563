// BOOTSTRAP, to be rewritten: kernel side of the stand-in.
#pragma once
#pragma GCC system_header
#include <cstring>
#include "ess_core/device/cuda/emulation/cuda_runtime.h"
#define __forceinline__ inline
#define __restrict__
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#define __constant__
#define __launch_bounds__(...)
#define __grid_constant__
// thread_local at block scope implies static storage: one copy for each OS thread, and one block runs on an OS
// thread at a time, so this is block-shared memory.
#define __shared__ thread_local
#define CUDACPU_DYN_SHARED(T, name) T* name = static_cast<T*>(::cudacpu::dyn_smem())

namespace cudacpu {
struct Block;
struct Warp;
struct Thread {   // the emulator's view of one CUDA thread; only these fields are read by kernels
  uint3 tid;
  uint32_t lane;
  const uint3* bid;
  const dim3* bdim;
  const dim3* gdim;
};
extern __thread Thread* cur_;
inline Thread* cur() { return cur_; }

enum class Op : uint8_t { Shfl, Ballot, Any, All, Syncwarp, MatchAny, MatchAll, RedAdd, RedMin, RedMax, RedAnd, RedOr, RedXor, Exchange };
// All of these are in cudacpu.cpp, never inlined, never instrumented.
uint64_t warp_shfl(uint32_t mask, uint64_t v, int src_lane, const char* file, int line);
uint64_t warp_vote(Op op, uint32_t mask, uint64_t v, int* pred, const char* file, int line);
void warp_exchange(uint32_t mask, const void* in, unsigned bytes, void* out32, const char* file, int line);
int block_sync(int id, int nthreads, int pred, int kind, const char* file, int line);  // kind 0 sync, 1 count, 2 and, 3 or
uint32_t active_mask();
void* dyn_smem();
size_t dyn_smem_size();
void point();                      // a preemption point
void yield();                      // let another thread of the block run
void fence();
void note_atomic(const volatile void* p, bool load, bool store);
[[noreturn]] void trap(const char* why, const char* file, int line);
void cp_async(void* dst, const void* src, unsigned bytes);
void cp_async_commit();
void cp_async_wait(int n);

// ---- host control ----
struct Config {
  int workers = 1;            // OS threads running blocks (CUDACPU_WORKERS)
  bool random = false;        // random schedule from `seed` (CUDACPU_SEED=n sets both)
  uint64_t seed = 1;
  int preempt = 0;            // mean number of preemption points between forced switches, 0 = none (CUDACPU_PREEMPT)
  size_t stack = 0;           // bytes a fiber, 0 = default (CUDACPU_STACK)
  bool lazy_streams = false;  // run stream work only when something waits for it (CUDACPU_LAZY=1)
  bool strict_shfl = true;    // reading a lane that takes no part is an error
  bool fill = true;           // fresh device and dynamic shared memory is 0xFF.. (NaN in every float format)
  size_t smem_optin = 227 * 1024, smem_default = 48 * 1024;
};
Config& config();
const std::string& last_report();   // text of the last kernel failure
uint64_t switches();                // context switches so far
cudaError_t enqueue(cudaStream_t s, std::function<void()> work);
cudaError_t run_grid(void (*entry)(void*), void* ctx, const void* key, dim3 g, dim3 b, size_t smem, bool coop);
cudaError_t check_launch(const void* key, dim3 g, dim3 b, size_t smem);


template <class... P, class... A>
inline cudaError_t launch_ex(bool coop, void (*k)(P...), dim3 g, dim3 b, size_t smem, cudaStream_t s, A&&... a) {
  const void* key = reinterpret_cast<const void*>(k);
  if (cudaError_t e = check_launch(key, g, b, smem)) return e;
  struct Ctx { void (*k)(P...); std::tuple<std::decay_t<P>...> args; };
  auto ctx = std::make_shared<Ctx>(Ctx{k, std::tuple<std::decay_t<P>...>(static_cast<P>(a)...)});
  return enqueue(s, [=] {
    run_grid([](void* c) { auto* x = static_cast<Ctx*>(c); std::apply(x->k, x->args); }, ctx.get(), key, g, b, smem, coop);
  });
}
template <class... P, class... A>
inline cudaError_t launch(void (*k)(P...), dim3 g, dim3 b, size_t smem, cudaStream_t s, A&&... a) {
  return launch_ex(false, k, g, b, smem, s, std::forward<A>(a)...);
}
template <class... P> inline cudaError_t set_max_smem(void (*k)(P...), int bytes) {
  return cudaFuncSetAttribute(reinterpret_cast<const void*>(k), cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
}

template <class T> inline uint64_t bits(T v) { static_assert(sizeof(T) <= 8); uint64_t u = 0; std::memcpy(&u, &v, sizeof(T)); return u; }
template <class T> inline T unbits(uint64_t u) { T v; std::memcpy(&v, &u, sizeof(T)); return v; }
}  // namespace cudacpu

#define threadIdx (::cudacpu::cur()->tid)
#define blockIdx (*::cudacpu::cur()->bid)
#define blockDim (*::cudacpu::cur()->bdim)
#define gridDim (*::cudacpu::cur()->gdim)
inline constexpr int warpSize = 32;
#define CUDACPU_AT const char *file_ = __builtin_FILE(), int line_ = __builtin_LINE()

// ---- barriers and fences ----
inline void __syncthreads(CUDACPU_AT) { ::cudacpu::block_sync(0, 0, 0, 0, file_, line_); }
inline int __syncthreads_count(int p, CUDACPU_AT) { return ::cudacpu::block_sync(0, 0, p, 1, file_, line_); }
inline int __syncthreads_and(int p, CUDACPU_AT) { return ::cudacpu::block_sync(0, 0, p, 2, file_, line_); }
inline int __syncthreads_or(int p, CUDACPU_AT) { return ::cudacpu::block_sync(0, 0, p, 3, file_, line_); }
inline void __syncwarp(unsigned m = 0xffffffffu, CUDACPU_AT) { ::cudacpu::warp_vote(::cudacpu::Op::Syncwarp, m, 0, nullptr, file_, line_); }
inline void __threadfence() { ::cudacpu::fence(); }
inline void __threadfence_block() { ::cudacpu::fence(); }
inline void __threadfence_system() { ::cudacpu::fence(); }
inline void __nanosleep(unsigned) { ::cudacpu::yield(); }
inline unsigned __activemask() { return ::cudacpu::active_mask(); }
inline void __trap(CUDACPU_AT) { ::cudacpu::trap("__trap()", file_, line_); }

// ---- warp intrinsics ----
template <class T> inline T __shfl_sync(unsigned m, T v, int src, int w = 32, CUDACPU_AT) {
  int l = ::cudacpu::cur()->lane, base = l & ~(w - 1);
  return ::cudacpu::unbits<T>(::cudacpu::warp_shfl(m, ::cudacpu::bits(v), base + (src & (w - 1)), file_, line_));
}
template <class T> inline T __shfl_up_sync(unsigned m, T v, unsigned d, int w = 32, CUDACPU_AT) {
  int l = ::cudacpu::cur()->lane, base = l & ~(w - 1), s = l - (int)d;
  return ::cudacpu::unbits<T>(::cudacpu::warp_shfl(m, ::cudacpu::bits(v), s < base ? l : s, file_, line_));
}
template <class T> inline T __shfl_down_sync(unsigned m, T v, unsigned d, int w = 32, CUDACPU_AT) {
  int l = ::cudacpu::cur()->lane, base = l & ~(w - 1), s = l + (int)d;
  return ::cudacpu::unbits<T>(::cudacpu::warp_shfl(m, ::cudacpu::bits(v), s >= base + w ? l : s, file_, line_));
}
template <class T> inline T __shfl_xor_sync(unsigned m, T v, int x, int w = 32, CUDACPU_AT) {
  int l = ::cudacpu::cur()->lane, base = l & ~(w - 1), s = l ^ x;
  return ::cudacpu::unbits<T>(::cudacpu::warp_shfl(m, ::cudacpu::bits(v), s >= base + w ? l : s, file_, line_));
}
inline unsigned __ballot_sync(unsigned m, int p, CUDACPU_AT) { return (unsigned)::cudacpu::warp_vote(::cudacpu::Op::Ballot, m, p != 0, nullptr, file_, line_); }
inline int __any_sync(unsigned m, int p, CUDACPU_AT) { return (int)::cudacpu::warp_vote(::cudacpu::Op::Any, m, p != 0, nullptr, file_, line_); }
inline int __all_sync(unsigned m, int p, CUDACPU_AT) { return (int)::cudacpu::warp_vote(::cudacpu::Op::All, m, p != 0, nullptr, file_, line_); }
template <class T> inline unsigned __match_any_sync(unsigned m, T v, CUDACPU_AT) { return (unsigned)::cudacpu::warp_vote(::cudacpu::Op::MatchAny, m, ::cudacpu::bits(v), nullptr, file_, line_); }
template <class T> inline unsigned __match_all_sync(unsigned m, T v, int* pred, CUDACPU_AT) { return (unsigned)::cudacpu::warp_vote(::cudacpu::Op::MatchAll, m, ::cudacpu::bits(v), pred, file_, line_); }
#define CUDACPU_RED(name, OP, T) \
  inline T name(unsigned m, T v, CUDACPU_AT) { return (T)::cudacpu::warp_vote(::cudacpu::Op::OP, m, (uint64_t)(int64_t)v, nullptr, file_, line_); }
CUDACPU_RED(__reduce_add_sync, RedAdd, unsigned) CUDACPU_RED(__reduce_add_sync, RedAdd, int)
CUDACPU_RED(__reduce_min_sync, RedMin, unsigned) CUDACPU_RED(__reduce_min_sync, RedMin, int)
CUDACPU_RED(__reduce_max_sync, RedMax, unsigned) CUDACPU_RED(__reduce_max_sync, RedMax, int)
CUDACPU_RED(__reduce_and_sync, RedAnd, unsigned) CUDACPU_RED(__reduce_or_sync, RedOr, unsigned) CUDACPU_RED(__reduce_xor_sync, RedXor, unsigned)
#undef CUDACPU_RED

// ---- atomics (relaxed, like CUDA's) ----
namespace cudacpu {
template <class T, class F> inline T atomic_rmw(T* p, F f) {
  point();
  note_atomic(p, true, true);
  using U = std::conditional_t<sizeof(T) == 8, uint64_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint16_t>>;
  static_assert(sizeof(T) == sizeof(U));
  U old = __atomic_load_n(reinterpret_cast<U*>(p), __ATOMIC_RELAXED);
  for (;;) {
    U nw = (U)bits(f(unbits<T>(old)));
    if (__atomic_compare_exchange_n(reinterpret_cast<U*>(p), &old, nw, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) return unbits<T>(old);
  }
}
template <class T> struct id { using type = T; };
}  // namespace cudacpu
#define CUDACPU_V typename ::cudacpu::id<T>::type
#define CUDACPU_ATOMIC(name, expr)                                                                                  \
  template <class T> inline T name(T* p, CUDACPU_V v) { return ::cudacpu::atomic_rmw(p, [v](T o) -> T { return expr; }); } \
  template <class T> inline T name##_block(T* p, CUDACPU_V v) { return name(p, v); }                                 \
  template <class T> inline T name##_system(T* p, CUDACPU_V v) { return name(p, v); }
CUDACPU_ATOMIC(atomicAdd, (T)(o + v)) CUDACPU_ATOMIC(atomicSub, (T)(o - v)) CUDACPU_ATOMIC(atomicExch, ((void)o, v))
CUDACPU_ATOMIC(atomicMin, v < o ? v : o) CUDACPU_ATOMIC(atomicMax, o < v ? v : o)
CUDACPU_ATOMIC(atomicAnd, (T)(o & v)) CUDACPU_ATOMIC(atomicOr, (T)(o | v)) CUDACPU_ATOMIC(atomicXor, (T)(o ^ v))
CUDACPU_ATOMIC(atomicInc, o >= v ? T(0) : T(o + 1)) CUDACPU_ATOMIC(atomicDec, (o == 0 || o > v) ? v : T(o - 1))
#undef CUDACPU_ATOMIC
template <class T> inline T atomicCAS(T* p, CUDACPU_V cmp, CUDACPU_V v) {
  return ::cudacpu::atomic_rmw(p, [&](T o) -> T { return ::cudacpu::bits(o) == ::cudacpu::bits(cmp) ? v : o; });
}
template <class T> inline T atomicCAS_block(T* p, CUDACPU_V cmp, CUDACPU_V v) { return atomicCAS(p, cmp, v); }
template <class T> inline T atomicCAS_system(T* p, CUDACPU_V cmp, CUDACPU_V v) { return atomicCAS(p, cmp, v); }

// ---- loads and stores with cache hints ----
#define CUDACPU_LD(name) template <class T> inline T name(const T* p) { return *p; }
CUDACPU_LD(__ldg) CUDACPU_LD(__ldca) CUDACPU_LD(__ldcg) CUDACPU_LD(__ldcs) CUDACPU_LD(__ldlu) CUDACPU_LD(__ldcv)
#undef CUDACPU_LD
#define CUDACPU_ST(name) template <class T> inline void name(T* p, CUDACPU_V v) { *p = v; }
CUDACPU_ST(__stwb) CUDACPU_ST(__stcg) CUDACPU_ST(__stcs) CUDACPU_ST(__stwt)
#undef CUDACPU_ST

// ---- integer and float intrinsics ----
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
inline unsigned __brev(unsigned x) { unsigned r = 0; for (int i = 0; i < 32; ++i) r |= ((x >> i) & 1u) << (31 - i); return r; }
inline unsigned __fns(unsigned m, unsigned base, int off) {
  if (off == 0) return (m >> base) & 1u ? base : 0xffffffffu;
  for (int i = (int)base, n = 0; off > 0 ? i < 32 : i >= 0; i += off > 0 ? 1 : -1) if ((m >> i) & 1u) if (++n == (off > 0 ? off : -off)) return i;
  return 0xffffffffu;
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned s) {
  uint64_t v = ((uint64_t)b << 32) | a; unsigned r = 0;
  for (int i = 0; i < 4; ++i) { unsigned c = (s >> (4 * i)) & 15u, x = (v >> (8 * (c & 7))) & 255u; if (c & 8) x = x & 0x80 ? 255 : 0; r |= x << (8 * i); }
  return r;
}
inline unsigned __funnelshift_l(unsigned lo, unsigned hi, unsigned s) { return (unsigned)(((((uint64_t)hi << 32) | lo) << (s & 31)) >> 32); }
inline unsigned __funnelshift_r(unsigned lo, unsigned hi, unsigned s) { return (unsigned)((((uint64_t)hi << 32) | lo) >> (s & 31)); }
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((uint64_t)a * b) >> 32); }
inline int __dp4a(int a, int b, int c) { for (int i = 0; i < 4; ++i) c += (int8_t)(a >> (8 * i)) * (int8_t)(b >> (8 * i)); return c; }
inline float __int_as_float(int x) { return ::cudacpu::unbits<float>((unsigned)x); }
inline float __uint_as_float(unsigned x) { return ::cudacpu::unbits<float>(x); }
inline int __float_as_int(float x) { return (int)::cudacpu::bits(x); }
inline unsigned __float_as_uint(float x) { return (unsigned)::cudacpu::bits(x); }
inline long long __double_as_longlong(double x) { return (long long)::cudacpu::bits(x); }
inline double __longlong_as_double(long long x) { return ::cudacpu::unbits<double>((uint64_t)x); }
inline float __expf(float x) { return std::exp(x); }
inline float __exp2f(float x) { return std::exp2(x); }
inline float __logf(float x) { return std::log(x); }
inline float __log2f(float x) { return std::log2(x); }
inline float __powf(float x, float y) { return std::pow(x, y); }
inline float __sinf(float x) { return std::sin(x); }
inline float __cosf(float x) { return std::cos(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __saturatef(float x) { return x > 0.f ? (x < 1.f ? x : 1.f) : 0.f; }
inline int __float2int_rn(float x) { return (int)std::nearbyint(x); }
inline int __float2int_rd(float x) { return (int)std::floor(x); }
inline float __int2float_rn(int x) { return (float)x; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline long long clock64() { return (long long)__builtin_ia32_rdtsc(); }
inline size_t __cvta_generic_to_shared(const void* p) { return (size_t)p; }
#define CUDACPU_MM(A, B)                                                                          \
  inline std::common_type_t<A, B> min(A a, B b) { using C = std::common_type_t<A, B>; return (C)b < (C)a ? (C)b : (C)a; } \
  inline std::common_type_t<A, B> max(A a, B b) { using C = std::common_type_t<A, B>; return (C)a < (C)b ? (C)b : (C)a; }
CUDACPU_MM(int, int) CUDACPU_MM(unsigned, unsigned) CUDACPU_MM(int, unsigned) CUDACPU_MM(unsigned, int) CUDACPU_MM(long, long)
CUDACPU_MM(unsigned long, unsigned long) CUDACPU_MM(long long, long long) CUDACPU_MM(unsigned long long, unsigned long long)
CUDACPU_MM(float, float) CUDACPU_MM(double, double) CUDACPU_MM(float, double) CUDACPU_MM(double, float)
#undef CUDACPU_MM

// ---- cp.async (cuda_pipeline_primitives.h): a copy lands at the wait, never earlier, so a missing wait shows ----
inline void __pipeline_memcpy_async(void* dst, const void* src, size_t n, size_t zfill = 0) {
  alignas(16) unsigned char z[16] = {};
  if (zfill) { std::memcpy(z, src, n - zfill); std::memcpy(dst, z, n); } else ::cudacpu::cp_async(dst, src, (unsigned)n);
}
inline void __pipeline_commit() { ::cudacpu::cp_async_commit(); }
inline void __pipeline_wait_prior(size_t n) { ::cudacpu::cp_async_wait((int)n); }

