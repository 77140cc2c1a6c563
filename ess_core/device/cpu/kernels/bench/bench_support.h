// What the benchmarks of the kernels share.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>

namespace ess::cpu::bench {

class aligned_memory {
 public:
  explicit aligned_memory(std::size_t bytes)
      : data_(std::aligned_alloc(64, (bytes + 63) / 64 * 64), &std::free) {}
  [[nodiscard]] void* data() const { return data_.get(); }

 private:
  std::unique_ptr<void, decltype(&std::free)> data_;
};

// As the counter `flops`, to be read beside that of fma_rate of the same run: cores differ, and may be
// shared.
inline void report_flops(benchmark::State& state, double per_iteration) {
  state.counters["flops"] = benchmark::Counter(per_iteration, benchmark::Counter::kIsIterationInvariantRate,
                                               benchmark::Counter::kIs1000);
}

}  // namespace ess::cpu::bench
