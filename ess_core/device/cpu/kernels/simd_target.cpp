#include "ess_core/device/cpu/kernels/simd_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ess_core/device/cpu/kernels/simd_target.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <stdexcept>

HWY_BEFORE_NAMESPACE();
namespace ess::cpu::HWY_NAMESPACE {

const char* target_name() { return hwy::TargetName(HWY_TARGET); }

}  // namespace ess::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ess::cpu {
namespace {
HWY_EXPORT(target_name);
}

std::string simd_target_name() { return HWY_DYNAMIC_DISPATCH(target_name)(); }

namespace {

// Asked for once, before use_simd_target narrows what Highway offers.
const std::vector<std::int64_t>& all_targets() {
  static const std::vector<std::int64_t> targets = hwy::SupportedAndGeneratedTargets();
  return targets;
}

}  // namespace

std::vector<std::string> simd_targets() {
  std::vector<std::string> names;
  for (const std::int64_t target : all_targets()) names.emplace_back(hwy::TargetName(target));
  return names;
}

void use_simd_target(std::string_view name) {
  for (const std::int64_t target : all_targets()) {
    if (hwy::TargetName(target) != name) continue;
    hwy::SetSupportedTargetsForTest(target);
    return hwy::GetChosenTarget().Update(target);
  }
  throw std::invalid_argument("no SIMD target of this machine: " + std::string(name));
}

}  // namespace ess::cpu
#endif
