// Kernels of the stand-in's own tests: launched by run(), which waits.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ess_core/device/cuda/emulation/intrinsics.h"
#include "ess_core/device/cuda/emulation/stand_in.h"
#include "ess_core/device/cuda/kernels/tests/device_memory.h"

namespace ess::emulation::test {

using cuda_emulated::test::check;
using cuda_emulated::test::device_array;
using testing::HasSubstr;

// Every test starts without errors and leaves nothing behind.
class stand_in : public testing::Test {
 protected:
  stand_in() { reset(); }
  ~stand_in() override {
    reset();
    EXPECT_TRUE(count_live() == before_) << "a test left something on the device";
  }

 private:
  live_objects before_ = count_live();
};

template <class P>
cudaError_t run(void (*kernel)(P), dim3 grid, dim3 block, const P& params, std::size_t shared = 0) {
  if (const cudaError_t e = launch(kernel, grid, block, shared, nullptr, params)) return e;
  return cudaDeviceSynchronize();
}

struct ints {
  int* out;
};

}  // namespace ess::emulation::test
