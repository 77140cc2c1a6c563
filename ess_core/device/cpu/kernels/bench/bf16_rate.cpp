#include "ess_core/device/cpu/kernels/bench/bf16_rate.h"

#if defined(__x86_64__)
#include <benchmark/benchmark.h>
#include <immintrin.h>
#endif

namespace ess::cpu::bench {

#if defined(__x86_64__)

bool has_bf16_dot() { return __builtin_cpu_supports("avx512bf16") != 0; }

__attribute__((target("avx512bf16,avx512f"))) std::int64_t run_bf16_dots(std::int64_t rounds) {
  constexpr int chains = 16;  // enough to cover the latency
  __m512 sum[chains];
  for (int c = 0; c < chains; ++c) sum[c] = _mm512_set1_ps(1e-3f * static_cast<float>(c));
  const auto a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(-0.5f));
  const auto b = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.25f), _mm512_set1_ps(0.125f));
  for (std::int64_t i = 0; i < rounds; ++i)
#pragma GCC unroll 16
    for (int c = 0; c < chains; ++c) sum[c] = _mm512_dpbf16_ps(sum[c], a, b);
  for (int c = 1; c < chains; ++c) sum[0] = _mm512_add_ps(sum[0], sum[c]);
  alignas(64) float sink[16];
  _mm512_store_ps(sink, sum[0]);
  benchmark::DoNotOptimize(sink);
  return rounds * chains * 32 * 2;
}

#else

bool has_bf16_dot() { return false; }
std::int64_t run_bf16_dots(std::int64_t) { return 0; }

#endif

}  // namespace ess::cpu::bench
