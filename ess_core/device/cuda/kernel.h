// What kernels are written with beyond CUDA's own language, for nvcc and for the stand-in: launch, dynamic
// shared memory, tensor-core products, number formats.
#pragma once

#include <cstdint>

#include "ess_core/device/cuda/platform.h"

#ifdef ESSBENCH_CUDA_EMULATED
#include "ess_core/device/cuda/emulation/kernel_side.h"
#endif

namespace ess::ESS_CUDA {

#ifdef ESSBENCH_CUDA_EMULATED

template <class P>
cudaError_t launch(void (*kernel)(P), dim3 grid, dim3 block, std::size_t shared, cudaStream_t stream, const P& params) {
  if (shared > 48 * 1024) {
    if (const cudaError_t e = cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared))) return e;
  }
  return cudacpu::launch(kernel, grid, block, shared, stream, params);
}
inline unsigned char* dynamic_shared() { return static_cast<unsigned char*>(cudacpu::dyn_smem()); }

// Of the registers of a warp: d[16][8] += a[16][16] b[16][8], bf16 x bf16 -> f32. Fragments as PTX lays them out.
inline void mma_bf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], CUDACPU_AT) {
  std::uint32_t in[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
  std::uint32_t all[32][6];
  cudacpu::warp_exchange(~0u, in, sizeof in, all, file_, line_);
  const unsigned g = cudacpu::cur()->lane >> 2, t = cudacpu::cur()->lane & 3;
  auto bf = [](std::uint32_t r, unsigned k) { return cudacpu::unbits<float>((r >> (16 * k)) << 16); };
  for (int i = 0; i < 4; ++i) {
    const unsigned row = g + (i >= 2 ? 8 : 0), col = 2 * t + (i & 1);
    float s = 0;
    for (unsigned k = 0; k < 16; ++k)
      s += bf(all[(row & 7) * 4 + (k & 7) / 2][(row >= 8) + 2 * (k >= 8)], k & 1) * bf(all[col * 4 + (k & 7) / 2][4 + (k >= 8)], k & 1);
    d[i] += s;
  }
}
// d[16][8] += a[16][32] b[32][8], e4m3 x e4m3 -> f32; sm_89 and later, which may add with fewer bits than f32 has.
inline void mma_e4m3(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], CUDACPU_AT) {
  std::uint32_t in[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
  std::uint32_t all[32][6];
  cudacpu::warp_exchange(~0u, in, sizeof in, all, file_, line_);
  const unsigned g = cudacpu::cur()->lane >> 2, t = cudacpu::cur()->lane & 3;
  auto value = [](std::uint32_t r, unsigned k) {
    const std::uint32_t code = r >> (8 * k) & 0xff, sign = (code & 0x80) << 24, magnitude = code & 0x7f;
    return cudacpu::unbits<float>(magnitude == 0x7f ? 0x7fc00000u : sign | magnitude << 20) * 0x1p120f;
  };
  for (int i = 0; i < 4; ++i) {
    const unsigned row = g + (i >= 2 ? 8 : 0), col = 2 * t + (i & 1);
    float s = 0;
    for (unsigned k = 0; k < 32; ++k)
      s += value(all[(row & 7) * 4 + (k & 15) / 4][(row >= 8) + 2 * (k >= 16)], k & 3) * value(all[col * 4 + (k & 15) / 4][4 + (k >= 16)], k & 3);
    d[i] += s;
  }
}
// Each of two bf16, also subnormal ones, times 2^120.
inline std::uint32_t times_2_to_120_bf16(std::uint32_t x) {
  const auto half = [](std::uint32_t bits) { return cudacpu::unbits<std::uint32_t>(cudacpu::bits(cudacpu::unbits<float>(bits) * 0x1p120f)); };
  return half(x << 16) >> 16 | (half(x & 0xffff0000u) & 0xffff0000u);
}
// Four 8 x 8 tiles of 16-bit values; lane i gives the address of row i % 8 of tile i / 8.
template <int N, bool TRANS>
inline void ldmatrix_emulated(std::uint32_t (&d)[N], const void* row, const char* f, int l) {
  const void* all[32];
  cudacpu::warp_exchange(~0u, &row, sizeof row, all, f, l);
  const unsigned lane = cudacpu::cur()->lane;
  for (int m = 0; m < N; ++m) {
    d[m] = 0;
    for (unsigned e = 0; e < 2; ++e) {
      const unsigned r = TRANS ? 2 * (lane & 3) + e : lane >> 2, c = TRANS ? lane >> 2 : 2 * (lane & 3) + e;
      d[m] |= std::uint32_t{static_cast<const std::uint16_t*>(all[m * 8 + r])[c]} << (16 * e);
    }
  }
}
inline void ldmatrix_x4(std::uint32_t (&d)[4], const void* row, CUDACPU_AT) { ldmatrix_emulated<4, false>(d, row, file_, line_); }
inline void ldmatrix_x4_trans(std::uint32_t (&d)[4], const void* row, CUDACPU_AT) { ldmatrix_emulated<4, true>(d, row, file_, line_); }
// 16 bytes that this kernel reads once.
inline uint4 load_once(const uint4* p) { return *p; }
// 16 bytes from global to shared memory; there after copy_wait<0>() and a barrier.
inline void copy_async_16(void* shared, const void* global) { cudacpu::cp_async(shared, global, 16); }
inline void copy_commit() { cudacpu::cp_async_commit(); }
template <int groups_left>
inline void copy_wait() { cudacpu::cp_async_wait(groups_left); }

#else

template <class P>
cudaError_t launch(void (*kernel)(P), dim3 grid, dim3 block, std::size_t shared, cudaStream_t stream, const P& params) {
  if (shared > 48 * 1024) {
    if (const cudaError_t e = cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared))) return e;
  }
  kernel<<<grid, block, shared, stream>>>(params);
  return cudaGetLastError();
}
__device__ inline unsigned char* dynamic_shared() {
  extern __shared__ __align__(128) unsigned char essbench_dynamic_shared[];
  return essbench_dynamic_shared;
}
__device__ inline void mma_bf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ inline void mma_e4m3(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 890
  asm volatile("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  __trap();
#endif
}
__device__ inline std::uint32_t times_2_to_120_bf16(std::uint32_t x) {
  std::uint32_t y;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(y) : "r"(x), "r"(0x7b807b80u), "r"(0x80008000u));
  return y;
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
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p) : "memory");
  return v;
}
__device__ inline void copy_async_16(void* shared, const void* global) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(shared))), "l"(global) : "memory");
}
__device__ inline void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int groups_left>
__device__ inline void copy_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(groups_left) : "memory"); }

#endif

// Number formats, bit for bit those of ess_core/layout.
__device__ inline float bf16_to_float(std::uint16_t bits) {
#ifdef ESSBENCH_CUDA_EMULATED
  return cudacpu::unbits<float>(std::uint32_t{bits} << 16);
#else
  return __uint_as_float(std::uint32_t{bits} << 16);
#endif
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

}  // namespace ess::ESS_CUDA
