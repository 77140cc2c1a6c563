// The devices that compute with values, for suites that hold all of them to the same.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "ess_core/device/cpu/cpu_device.h"
#include "ess_core/device/cuda/cuda_device.h"

namespace ess::test {

enum class tested_device : std::uint8_t { cpu, cuda_emulated, cuda };

inline std::string_view name_of(tested_device which) {
  constexpr std::array<std::string_view, 3> names = {"cpu", "cuda_emulated", "cuda"};
  return names[static_cast<std::size_t>(which)];
}

// Whether it is built in and has what it needs to run.
inline bool is_here(tested_device which) {
#ifdef ESSBENCH_CUDA
  if (which == tested_device::cuda) return cuda::gpu_count() > 0;
#endif
  return which != tested_device::cuda;
}

// Without budgets. Weights are shared by the devices of a kind.
inline std::unique_ptr<device> make_tested(tested_device which) {
#ifdef ESSBENCH_CUDA
  if (which == tested_device::cuda) {
    static const auto weights = cuda::make_weights_cache();
    return cuda::make_device({.weights = weights});
  }
#endif
  if (which == tested_device::cuda_emulated) {
    static const auto weights = cuda_emulated::make_weights_cache();
    return cuda_emulated::make_device({.weights = weights});
  }
  return make_cpu_device({});
}

}  // namespace ess::test
