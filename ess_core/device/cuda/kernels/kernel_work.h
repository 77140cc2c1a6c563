// What a kernel has to do, from which the least time that it takes follows.
#pragma once

#include "ess_core/device/cuda/platform.h"

namespace ess::ESS_CUDA {

// Bytes of device memory and operations (a multiplication and addition count two).
struct kernel_work {
  double bytes_read, bytes_written, operations;
};

}  // namespace ess::ESS_CUDA
