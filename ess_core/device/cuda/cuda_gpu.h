// What a result says of the GPU that gave it.
#pragma once

#include <string>

#include "ess_core/base/units.h"

namespace ess {

struct cuda_gpu {
  std::string name;  // "NVIDIA H100 80GB HBM3"
  int compute_major = 0, compute_minor = 0;
  int multiprocessors = 0;
  byte_count memory;
  int numa_node = -1;                           // of the host, next to it; -1: not known
  int runtime_version = 0, driver_version = 0;  // 1000 x major + 10 x minor
};

}  // namespace ess
