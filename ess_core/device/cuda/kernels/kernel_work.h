// What a launch has to do at least: each input read once, each output written once.
#pragma once

#include "ess_core/device/cuda/platform.h"

namespace ess::ESS_CUDA {

struct kernel_work {
  double bytes_read;
  double bytes_written;
  double operations;  // a multiply-add counts 2, however many terms its operands have
};

}  // namespace ess::ESS_CUDA
