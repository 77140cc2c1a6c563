#include <vector>

#include "ess_core/device/cpu/kernels/bench/bench_support.h"
#include "ess_core/device/cpu/kernels/elementwise.h"
#include "ess_core/device/cpu/kernels/tests/test_data.h"

namespace ess::cpu::bench {
namespace {

using benchmark::State;

void rms_norm(State& state) {
  auto x = test::random_floats(1024, 1);
  for (auto _ : state) {
    cpu::rms_norm(x.data(), 1024, x.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * 8192);
}
BENCHMARK(rms_norm);

void silu_multiply(State& state) {
  const auto gate = test::random_floats(4096, 1), up = test::random_floats(4096, 2);
  std::vector<float> out(4096);
  for (auto _ : state) {
    cpu::silu_multiply(gate.data(), up.data(), 4096, out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * 4096);
}
BENCHMARK(silu_multiply);

}  // namespace
}  // namespace ess::cpu::bench
