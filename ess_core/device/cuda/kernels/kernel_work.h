#pragma once

#include "ess_core/device/cuda/platform.h"

namespace ess::ESS_CUDA {

// What a launch moves and computes at least: what its measured time is compared with.
struct kernel_work {
  double bytes_read, bytes_written, operations;
};

}  // namespace ess::ESS_CUDA
