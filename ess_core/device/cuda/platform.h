// CUDA's runtime, or its stand-in on the CPU (emulation/). The device's source is compiled once for each, in
// a namespace of its own, so that one program can hold both.
#pragma once

#ifdef ESSBENCH_CUDA_EMULATED
#define ESS_CUDA cuda_emulated
#include "ess_core/device/cuda/emulation/cuda_runtime.h"
#else
#define ESS_CUDA cuda
#include <cuda_runtime.h>
#endif
