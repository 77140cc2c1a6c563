// The SIMD targets of the kernels: each is compiled for several and runs with the best that the machine has.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ess::cpu {

// The one that the kernels run with: "AVX3" (AVX-512), "AVX2", "NEON", ... (Highway's names).
[[nodiscard]] std::string simd_target_name();
// All that run on this machine, best first.
[[nodiscard]] std::vector<std::string> simd_targets();
// Makes the kernels run with one of simd_targets(), to test or measure what another machine would run; not
// while a kernel runs. Throws std::invalid_argument for other names.
void use_simd_target(std::string_view name);

}  // namespace ess::cpu
