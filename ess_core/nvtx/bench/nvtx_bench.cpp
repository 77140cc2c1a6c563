// What a range costs. Without a tool (no NVTX_INJECTION64_PATH) it must not show in a step of some 1,000
// operations and 10 ms: expected below 5 ns.
#include <benchmark/benchmark.h>

#include "ess_core/nvtx/nvtx.h"

namespace {

void scoped_range(benchmark::State& state) {
  for (auto _ : state) {
    const ess::nvtx::scoped_range range("fetch", {.layer = 1, .rows = 2, .bytes = 3});
    benchmark::DoNotOptimize(&range);
  }
  state.SetLabel(ess::nvtx::attached() ? "tool attached" : "no tool");
}
BENCHMARK(scoped_range);

}  // namespace
