#include "ess_core/device/cpu/kernels/fma_rate.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ess_core/device/cpu/kernels/fma_rate.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace ess::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr int chains = 12;  // enough to cover 5 cycles of latency twice a cycle

// Returns the multiply-adds done, times two; `sink` keeps them alive.
std::int64_t multiply_add_loop(std::int64_t rounds, float* sink) {
  const hn::ScalableTag<float> d;
  using vector = hn::Vec<decltype(d)>;
  vector sum[chains];
  for (int c = 0; c < chains; ++c) sum[c] = hn::Set(d, 1e-3f * static_cast<float>(c));
  const vector a = hn::Set(d, sink[0]);
  const vector b = hn::Set(d, sink[1]);
  for (std::int64_t i = 0; i < rounds; ++i)
#pragma GCC unroll 12
    for (int c = 0; c < chains; ++c) sum[c] = hn::MulAdd(sum[c], a, b);
  for (int c = 1; c < chains; ++c) sum[0] = hn::Add(sum[0], sum[c]);
  sink[0] = hn::GetLane(hn::SumOfLanes(d, sum[0]));
  return rounds * chains * static_cast<std::int64_t>(hn::Lanes(d)) * 2;
}

}  // namespace ess::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ess::cpu {
namespace {

HWY_EXPORT(multiply_add_loop);

double gflops_of_one_loop() {
  using clock = std::chrono::steady_clock;
  const auto start = clock::now();
  const std::int64_t operations = run_multiply_adds(200'000);
  const std::chrono::duration<double, std::nano> elapsed = clock::now() - start;
  return static_cast<double>(operations) / elapsed.count();
}

}  // namespace

std::int64_t run_multiply_adds(std::int64_t rounds) {
  float sink[2] = {0.999f, 0.001f};
  return HWY_DYNAMIC_DISPATCH(multiply_add_loop)(rounds, sink);
}

double measure_fma_gflops() {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  double best = 0;
  while (std::chrono::steady_clock::now() < end) best = std::max(best, gflops_of_one_loop());
  return best;
}

}  // namespace ess::cpu
#endif
