// The tests run with the SIMD target that ESSBENCH_SIMD names, or else with the machine's best.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "ess_core/device/cpu/kernels/simd_target.h"

namespace ess::cpu {
namespace {

class chosen_simd : public testing::Environment {
 public:
  void SetUp() override {
    const char* name = std::getenv("ESSBENCH_SIMD");
    if (name == nullptr) return;
    if (const auto targets = simd_targets(); std::ranges::find(targets, name) == targets.end())
      GTEST_SKIP() << "[  SKIPPED ] no " << name << " on this machine";  // the mark that ctest looks for
    use_simd_target(name);
    ASSERT_EQ(simd_target_name(), name);
  }
};

[[maybe_unused]] const auto* const environment = testing::AddGlobalTestEnvironment(new chosen_simd);

}  // namespace
}  // namespace ess::cpu
