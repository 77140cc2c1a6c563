// Launches of kernels and kernel.h's functions, on the CPU.
#pragma once

#include <type_traits>

#include "ess_core/device/cuda/emulation/cuda_runtime.h"
#include "ess_core/device/cuda/emulation/kernel_calls.h"

namespace ess::emulation {

struct kernel_launch {
  void (*entry)(const void* kernel, const void* params);
  const void* kernel;
  dim3 grid, block;
  std::size_t shared_bytes;
};
// Copies the parameters. The kernel runs when its stream comes to it.
cudaError_t enqueue(const kernel_launch& launch, cudaStream_t stream, const void* params,
                    std::size_t param_bytes);

template <class P>
__attribute__((no_sanitize("thread"))) void run_kernel(const void* kernel, const void* params) {
  reinterpret_cast<void (*)(P)>(const_cast<void*>(kernel))(*static_cast<const P*>(params));
}

template <class P>
cudaError_t launch(void (*kernel)(P), dim3 grid, dim3 block, std::size_t shared, cudaStream_t stream,
                   const std::type_identity_t<P>& params) {
  static_assert(std::is_trivially_copyable_v<P>);
  const void* const key = reinterpret_cast<const void*>(kernel);
  if (shared > 48 * 1024) {
    if (const cudaError_t e = cudaFuncSetAttribute(key, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                   static_cast<int>(shared))) {
      return e;
    }
  }
  return enqueue({run_kernel<P>, key, grid, block, shared}, stream, &params, sizeof params);
}

inline void mma_bf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                     call_site at = call_site::here()) {
  multiply_bf16(d, a, b, at);
}
inline void mma_e4m3(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                     call_site at = call_site::here()) {
  multiply_e4m3(d, a, b, at);
}
inline void ldmatrix_x4(std::uint32_t (&d)[4], const void* row, call_site at = call_site::here()) {
  load_matrices(d, row, at);
}
inline void ldmatrix_x4_trans(std::uint32_t (&d)[4], const void* row, call_site at = call_site::here()) {
  load_matrices_transposed(d, row, at);
}
inline uint4 load_once(const uint4* p) { return *p; }
inline void copy_async_16(void* shared, const void* global) { copy_async(shared, global, 16); }
inline void copy_commit() { commit_copies(); }
template <int groups_left>
void copy_wait(call_site at = call_site::here()) {
  wait_for_copies(groups_left, at);
}

}  // namespace ess::emulation
