// The machine's f32 multiply-add rate: what the other kernels are compared to.
#pragma once

#include <string>

namespace ess::cpu {

// One thread, registers only; takes about 50 ms.
[[nodiscard]] double measure_fma_gflops();
// The SIMD target that the kernels run with here: "AVX3", "AVX2", ...
[[nodiscard]] std::string simd_target_name();

}  // namespace ess::cpu
