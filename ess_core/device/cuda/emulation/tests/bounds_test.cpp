// Kernels that leave their memory: found by guard pages, to the byte by AddressSanitizer.
#include "ess_core/device/cuda/emulation/tests/support.h"

namespace ess::emulation::test {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr bool with_address_sanitizer = true;
#else
constexpr bool with_address_sanitizer = false;
#endif

struct reach {
  int* out;
  int beyond;
};

void global_kernel(reach p) {
  if (threadIdx.x == 5) p.out[31 + p.beyond] = 1;
}
void dynamic_shared_kernel(reach p) {
  auto* const words = reinterpret_cast<volatile int*>(dynamic_shared());
  words[static_cast<int>(threadIdx.x) + p.beyond] = 1;
}
void static_shared_kernel(reach p) {
  __shared__ int words[32];
  words[static_cast<int>(threadIdx.x) + p.beyond] = 1;
  __syncthreads();
  p.out[threadIdx.x] = words[threadIdx.x];
}
void wrong_stride_kernel(reach p) {  // rows of 33 where there is room for rows of 32
  auto* const words = reinterpret_cast<volatile int*>(dynamic_shared());
  for (int row = 0; row < 4; ++row) words[row * (32 + p.beyond) + static_cast<int>(threadIdx.x)] = row;
}

class bounds : public stand_in {
 protected:
  cudaError_t run_with(void (*kernel)(reach), int beyond, std::size_t shared = 0) {
    return run(kernel, 1, 32, reach{out_.data(), beyond}, shared);
  }
  // By a page's end, or by one element.
  void expect_found(void (*kernel)(reach), int beyond, std::size_t shared = 0) {
    EXPECT_EQ(run_with(kernel, 0, shared), cudaSuccess);
    if constexpr (with_address_sanitizer) {
      EXPECT_DEATH(run_with(kernel, 1, shared), "AddressSanitizer");
    } else if (!survives_illegal_addresses()) {
      EXPECT_DEATH(run_with(kernel, beyond, shared), "");
    } else {
      EXPECT_EQ(run_with(kernel, beyond, shared), cudaErrorIllegalAddress);
      EXPECT_THAT(last_report(), HasSubstr("illegal address"));
      reset();
    }
  }
  device_array<int> out_{std::vector<int>(32)};
};

TEST_F(bounds, of_an_allocation) { expect_found(global_kernel, 64); }
TEST_F(bounds, of_dynamic_shared_memory) { expect_found(dynamic_shared_kernel, 32, 32 * 4); }
TEST_F(bounds, of_dynamic_shared_memory_when_a_stride_is_wrong) {
  expect_found(wrong_stride_kernel, 1, 4 * 32 * 4);
}

TEST_F(bounds, of_static_shared_memory) {
  EXPECT_EQ(run_with(static_shared_kernel, 0), cudaSuccess);
  if (!with_address_sanitizer) GTEST_SKIP() << "only UndefinedBehaviorSanitizer knows them";
  EXPECT_DEATH(run_with(static_shared_kernel, 1), "index 32 out of bounds");
}

}  // namespace
}  // namespace ess::emulation::test
