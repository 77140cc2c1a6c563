// What all calls of the runtime share: one at a time, errors, planned failures. Internal to the stand-in.
#pragma once

#include <mutex>
#include <string>

#include "ess_core/device/cuda/emulation/stand_in.h"

namespace ess::emulation {

// Held by every call, and by kernels and copies while they run; not by host functions.
std::mutex& runtime_mutex();

// Whether a call may be made while a stream is captured: those that CUDA calls potentially unsafe may not.
enum class capture_rule { allowed, forbidden };

// Counts a call; the error that it shall return, or success.
cudaError_t refuse(call kind, capture_rule rule);
// The calling thread's last error, unless it is success.
cudaError_t remember(cudaError_t e);

// The error of a kernel that failed, which every later call returns.
cudaError_t sticky_error();
void set_sticky_error(cudaError_t e, const std::string& report);
// What a planned failure says of this execution of a kernel.
cudaError_t planned_kernel_failure();

// Within a host function of a stream, where CUDA forbids calls.
extern thread_local bool in_host_function;

template <class Body>
cudaError_t answer(call kind, capture_rule rule, Body body) {
  if (in_host_function) return remember(cudaErrorNotPermitted);
  const std::lock_guard lock(runtime_mutex());
  const cudaError_t refused = refuse(kind, rule);
  return remember(refused != cudaSuccess ? refused : body());
}

// A call that destroys something: done also after a failure, which it returns.
template <class Body>
cudaError_t clean_up(Body body) {
  if (in_host_function) return remember(cudaErrorNotPermitted);
  const std::lock_guard lock(runtime_mutex());
  const cudaError_t e = body();
  return remember(e != cudaSuccess ? e : sticky_error());
}

}  // namespace ess::emulation
