// Aim: 10 M accesses/s a core for the miss curve at 32K tokens and top-k 2,048.
#include <benchmark/benchmark.h>

#include "ess_core/base/random.h"
#include "ess_core/locality/miss_curve.h"
#include "ess_core/locality/optimal.h"

namespace {

constexpr ess::trace_shape shape{.steps = 200, .layers = 1, .top_k = 2'048, .first_token = 32'768};

// Every stride-th token from a random one on: ascending, reused from step to step, some of it never.
ess::index_trace strided_trace() {
  const ess::counter_rng rng(1, ess::purpose::microbenchmark);
  ess::index_trace trace(shape);
  for (std::int32_t step = 0; step < shape.steps; ++step) {
    const auto start = static_cast<ess::token_id>(rng.below(1'000, static_cast<std::uint64_t>(step)));
    const ess::token_id stride = 1 + step % 15;
    ess::token_id id = start;
    for (ess::token_id& selected : trace.selected(step, 0)) {
      selected = id;
      id += stride;
    }
  }
  return trace;
}

void miss_curve(benchmark::State& state) {
  const ess::index_trace trace = strided_trace();
  const ess::replay_options options{.query_tokens = static_cast<std::int32_t>(state.range(0))};
  for (auto _ : state) benchmark::DoNotOptimize(ess::lru_miss_curve(trace, 0, options).asked);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(trace.ids.size()));
}
BENCHMARK(miss_curve)->ArgName("query_tokens")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond);

void optimal(benchmark::State& state) {
  const ess::index_trace trace = strided_trace();
  for (auto _ : state) benchmark::DoNotOptimize(ess::optimal_misses(trace, 0, state.range(0)));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(trace.ids.size()));
}
BENCHMARK(optimal)->ArgName("pool_rows")->Arg(6'554)->Arg(13'108)->Unit(benchmark::kMillisecond);

}  // namespace
