// The rate of the bf16 dot product of AVX-512, to see whether it would be faster than multiply-adds in f32.
#pragma once

#include <cstdint>

namespace ess::cpu::bench {

[[nodiscard]] bool has_bf16_dot();
// One thread, registers only; returns the operations done, a multiply-add being two. Only with
// has_bf16_dot().
std::int64_t run_bf16_dots(std::int64_t rounds);

}  // namespace ess::cpu::bench
