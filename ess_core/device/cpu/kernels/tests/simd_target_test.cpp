#include "ess_core/device/cpu/kernels/simd_target.h"

#include <stdexcept>

namespace ess::cpu {
namespace {

TEST(simd_target, the_kernels_run_with_what_is_asked_for) {
  const std::string before = simd_target_name();
  for (const std::string& name : simd_targets()) {
    use_simd_target(name);
    EXPECT_EQ(simd_target_name(), name);
  }
  use_simd_target(before);
}

TEST(simd_target, what_the_machine_lacks_is_refused) {
  EXPECT_THROW(use_simd_target("AVX9"), std::invalid_argument);
  EXPECT_THAT(simd_targets(), testing::Contains(simd_target_name()));
}

}  // namespace
}  // namespace ess::cpu
