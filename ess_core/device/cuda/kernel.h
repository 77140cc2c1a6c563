// What kernels are written with beyond CUDA's own language, for nvcc and for the stand-in: launch, dynamic
// shared memory, tensor-core products, number formats.
#pragma once

#include <cstdint>

#include "ess_core/device/cuda/platform.h"

#ifdef ESSBENCH_CUDA_EMULATED
#include "ess_core/device/cuda/emulation/intrinsics.h"
#endif

namespace ess::ESS_CUDA {

#ifdef ESSBENCH_CUDA_EMULATED

using emulation::copy_async_16;
using emulation::copy_commit;
using emulation::copy_wait;
using emulation::dynamic_shared;
using emulation::launch;
using emulation::ldmatrix_x4;
using emulation::ldmatrix_x4_trans;
using emulation::load_once;
using emulation::mma_bf16;
using emulation::mma_e4m3;

#else

template <class P>
cudaError_t launch(void (*kernel)(P), dim3 grid, dim3 block, std::size_t shared, cudaStream_t stream,
                   const P& params) {
  if (shared > 48 * 1024) {
    if (const cudaError_t e =
            cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                 cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)))
      return e;
  }
  // clang-format off
  kernel<<<grid, block, shared, stream>>>(params);
  // clang-format on
  return cudaGetLastError();
}
__device__ inline unsigned char* dynamic_shared() {
  extern __shared__ __align__(128) unsigned char essbench_dynamic_shared[];
  return essbench_dynamic_shared;
}
__device__ inline void mma_bf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ inline void mma_e4m3(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 890
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  __trap();
#endif
}
__device__ inline void ldmatrix_x4(std::uint32_t (&d)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(row)))
               : "memory");
}
__device__ inline void ldmatrix_x4_trans(std::uint32_t (&d)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(row)))
               : "memory");
}
__device__ inline uint4 load_once(const uint4* p) {
  uint4 v;
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(p)
               : "memory");
  return v;
}
__device__ inline void copy_async_16(void* shared, const void* global) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(
                   static_cast<unsigned>(__cvta_generic_to_shared(shared))),
               "l"(global)
               : "memory");
}
__device__ inline void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int groups_left>
__device__ inline void copy_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(groups_left) : "memory");
}

#endif

// d = a b; what was in d does not count.
__device__ inline void mma_bf16_first(float (&d)[4], const std::uint32_t (&a)[4],
                                      const std::uint32_t (&b)[2]) {
#ifdef ESSBENCH_CUDA_EMULATED
  for (float& x : d) x = 0;
  mma_bf16(d, a, b);
#else
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%10,%10,%10,%10};"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(0.0f));
#endif
}
// __syncthreads where the warps of a block run code of their own, each with as many barriers.
__device__ inline void block_barrier() {
#ifdef ESSBENCH_CUDA_EMULATED
  emulation::__syncthreads();
#else
  asm volatile("bar.sync 0;" ::: "memory");
#endif
}
// 2^x, error 2^-22; subnormals are 0.
__device__ inline float exp2_approx(float x) {
#ifdef ESSBENCH_CUDA_EMULATED
  return std::exp2(x);
#else
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#endif
}

// Number formats, bit for bit those of ess_core/layout.
__device__ inline float bf16_to_float(std::uint16_t bits) {
  return __uint_as_float(std::uint32_t{bits} << 16);
}
// To nearest, ties to even; NaN stays NaN.
__device__ inline std::uint16_t float_to_bf16(float x) {
  const std::uint32_t u = __float_as_uint(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((u >> 16) | 0x40u);
  return static_cast<std::uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}
// x = high + low + what is left, less than 2^-17 of x: what two bf16 terms hold of a float.
struct two_bf16 {
  std::uint16_t high, low;
};
__device__ inline two_bf16 split_bf16(float x) {
  const std::uint16_t high = float_to_bf16(x);
  return {high, float_to_bf16(x - bf16_to_float(high))};
}

// Two floats as bf16 terms, a pair in a register: that of `first` in the lower half, as fragments want it.
struct bf16_pairs {
  std::uint32_t high, low;
};
__device__ inline std::uint32_t pack_bf16(float first, float second) {
#ifdef ESSBENCH_CUDA_EMULATED
  return std::uint32_t{float_to_bf16(first)} | std::uint32_t{float_to_bf16(second)} << 16;
#else
  std::uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
  return pair;
#endif
}
__device__ inline bf16_pairs split_pair(float first, float second) {
  const std::uint32_t high = pack_bf16(first, second);
  return {high, pack_bf16(first - __uint_as_float(high << 16), second - __uint_as_float(high & 0xffff0000u))};
}
// Products of bf16 pairs, rounded to nearest; subnormals count.
__device__ inline std::uint32_t multiply_bf16_pairs(std::uint32_t a, std::uint32_t b) {
#ifdef ESSBENCH_CUDA_EMULATED
  const auto half = [](std::uint32_t pair, int i) {
    return bf16_to_float(static_cast<std::uint16_t>(pair >> 16 * i));
  };
  return pack_bf16(half(a, 0) * half(b, 0), half(a, 1) * half(b, 1));
#else
  std::uint32_t product;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(product) : "r"(a), "r"(b), "r"(0x80008000u));
  return product;
#endif
}
// Four e4m3 codes c0 .. c3, c0 in the lowest byte, as bf16: {c0, c2} and {c1, c3}.
struct bf16_of_codes {
  std::uint32_t even, odd;
};
// Exact; NaN codes become +-480. `factor` holds 2^120 twice, which moves e4m3's exponents to bf16's, or 2^120
// times a scale.
inline constexpr std::uint32_t e4m3_factor = 0x7b807b80u;
__device__ inline bf16_of_codes e4m3_to_bf16(std::uint32_t codes, std::uint32_t factor = e4m3_factor) {
  constexpr std::uint32_t sign = 0x80008000u, magnitude = 0x07f007f0u;
  return {multiply_bf16_pairs(((codes << 4) & magnitude) | ((codes << 8) & sign), factor),
          multiply_bf16_pairs(((codes >> 4) & magnitude) | (codes & sign), factor)};
}
__device__ inline bool has_e4m3_nan(const uint4& codes) {
  constexpr std::uint32_t magnitude = 0x7f7f7f7fu, one = 0x01010101u;
  return ((((codes.x & magnitude) + one) | ((codes.y & magnitude) + one) | ((codes.z & magnitude) + one) |
           ((codes.w & magnitude) + one)) &
          0x80808080u) != 0;
}

}  // namespace ess::ESS_CUDA
