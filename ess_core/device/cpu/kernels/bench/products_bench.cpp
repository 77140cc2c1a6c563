// The floors of all that computes, and products with packed weights.
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "ess_core/device/cpu/kernels/bench/bench_support.h"
#include "ess_core/device/cpu/kernels/bench/bf16_rate.h"
#include "ess_core/device/cpu/kernels/fma_rate.h"
#include "ess_core/device/cpu/kernels/gemm.h"
#include "ess_core/device/cpu/kernels/huge_pages.h"
#include "ess_core/device/cpu/kernels/tests/test_data.h"

namespace ess::cpu::bench {
namespace {

using benchmark::State;

void fma_rate(State& state) {
  double operations = 0;
  for (auto _ : state) operations += static_cast<double>(run_multiply_adds(20'000));
  state.counters["flops"] =
      benchmark::Counter(operations, benchmark::Counter::kIsRate, benchmark::Counter::kIs1000);
}
BENCHMARK(fma_rate);

void bf16_dot_rate(State& state) {
  if (!has_bf16_dot()) return state.SkipWithError("no AVX512_BF16 on this machine");
  double operations = 0;
  for (auto _ : state) operations += static_cast<double>(run_bf16_dots(20'000));
  state.counters["flops"] =
      benchmark::Counter(operations, benchmark::Counter::kIsRate, benchmark::Counter::kIs1000);
}
BENCHMARK(bf16_dot_rate);

// The floor of a product of few rows: reading weights that are in no cache.
void read_memory(State& state) {
  constexpr std::size_t block = 4096 * 1024, blocks = 12;
  const huge_bytes memory = allocate_huge(blocks * block * sizeof(float));
  auto* words = reinterpret_cast<std::uint64_t*>(memory.get());
  constexpr std::size_t words_a_block = block * sizeof(float) / sizeof(std::uint64_t);
  std::fill_n(words, blocks * words_a_block, 1);
  std::size_t next = 0;
  for (auto _ : state) {
    const std::uint64_t* from = words + next++ % blocks * words_a_block;
    benchmark::DoNotOptimize(std::accumulate(from, from + words_a_block, std::uint64_t{0}));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(block * sizeof(float)));
}
BENCHMARK(read_memory);

// Enough matrices that none is in a cache when its turn comes, as in a step.
void gemm(State& state) {
  const auto m = static_cast<int>(state.range(0)), n = static_cast<int>(state.range(1)),
             k = static_cast<int>(state.range(2));
  const auto w = test::random_floats(static_cast<std::size_t>(n) * k, 1);
  const auto x = test::random_floats(static_cast<std::size_t>(m) * k, 2);
  std::vector<float> y(static_cast<std::size_t>(m) * n);
  std::vector<packed_matrix> matrices;
  while (static_cast<std::int64_t>(matrices.size()) * n * k * 4 < (std::int64_t{192} << 20))
    matrices.emplace_back(w.data(), n, k);
  std::size_t next = 0;
  for (auto _ : state) {
    matrices[next].run(m, x.data(), k, y.data(), n);
    next = (next + 1) % matrices.size();
  }
  report_flops(state, 2.0 * m * n * k);
  state.SetBytesProcessed(state.iterations() * std::int64_t{4} * n * k);
}
BENCHMARK(gemm)->ArgNames({"m", "n", "k"})->ArgsProduct({{4, 14, 64}, {4096}, {1024}})->Args({16, 64, 512});

}  // namespace
}  // namespace ess::cpu::bench
