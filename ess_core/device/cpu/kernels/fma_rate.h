// The machine's f32 multiply-add rate: what the other kernels are compared to.
#pragma once

#include <cstdint>

namespace ess::cpu {

// One thread, registers only; takes about 50 ms. The best of many short loops: whatever interrupts one of
// them is not the machine's rate.
[[nodiscard]] double measure_fma_gflops();
// One such loop; returns the operations done, a multiply-add being two.
std::int64_t run_multiply_adds(std::int64_t rounds);

}  // namespace ess::cpu
