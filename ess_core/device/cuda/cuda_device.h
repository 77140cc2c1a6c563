// The CUDA device: real numbers on a GPU, timed by events. Compute and copy streams run at the same time; the
// host tier is page-locked memory that kernels reach over the link; a step without a read-back is one CUDA
// graph. Compiled a second time it is the device `cuda_emulated`: the same source, kernels included, on the
// CPU.
#pragma once

#include <memory>
#include <string>

#include "ess_core/device/cuda/cuda_gpu.h"
#include "ess_core/device/device.h"
#include "ess_core/device/transfer_probe.h"

namespace ess {

class communicator;

struct cuda_device_options {
  int ordinal = 0;
  byte_count device_budget{0};  // 0: no limit
  byte_count host_budget{0};
  // A program that needs nothing of the host becomes a CUDA graph, after so many runs that are taken apart to
  // time its operations. Without graphs all runs are.
  bool graphs = true;
  int profiled_runs = 2;
  bool batched_copies = false;    // fetch_by_call: all copies of a layer in one call of the runtime (CUDA 13)
  std::shared_ptr<void> weights;  // of make_cuda_weights_cache; null: not shared
  // As of the CPU device. Their rows go from GPU to GPU (NCCL); programs with an exchange are no graphs.
  communicator* ranks = nullptr;
};

// Each in a namespace of its own, with the same functions.
#define ESS_DECLARE_CUDA_DEVICE(name)                                                    \
  namespace name {                                                                       \
  [[nodiscard]] int gpu_count(); /* 0 where there is no driver */                        \
  [[nodiscard]] cuda_gpu describe(int ordinal);                                          \
  [[nodiscard]] bool has_pools_of(pool_kind policy);                                     \
  [[nodiscard]] std::shared_ptr<void> make_weights_cache();                              \
  /* Throws unsupported where there is no such GPU. */                                   \
  [[nodiscard]] std::unique_ptr<device> make_device(const cuda_device_options& options); \
  [[nodiscard]] std::unique_ptr<transfer_probe> make_probe(int ordinal);                 \
  }
ESS_DECLARE_CUDA_DEVICE(cuda)
ESS_DECLARE_CUDA_DEVICE(cuda_emulated)
#undef ESS_DECLARE_CUDA_DEVICE

}  // namespace ess
