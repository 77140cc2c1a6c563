// Aims, on one core at 32K tokens and top-k 2,048: 3,000 steps/s of a synthetic layer, 10 M accesses/s of the
// miss curve.
#include <benchmark/benchmark.h>

#include "ess_core/locality/miss_curve.h"
#include "ess_core/locality/optimal.h"
#include "ess_core/locality/pool_replay.h"
#include "ess_core/locality/pool_split.h"
#include "ess_core/locality/synthetic_trace.h"

namespace {

constexpr std::int32_t top_k = 2'048;
constexpr ess::layer_locality middle{.overlap = 0.55, .scattered = 0.026, .steepness = 3.0};

ess::index_trace example_trace() { return *ess::synthesize({.layers = {middle}, .top_k = top_k}); }

std::int64_t accesses(const ess::index_trace& trace) { return static_cast<std::int64_t>(trace.ids.size()); }

// Steps of the lead-in are made, but not counted.
void trace_synth(benchmark::State& state, ess::token_id context) {
  const ess::synthetic_request request{.layers = {middle}, .top_k = top_k, .context = context, .steps = 512};
  for (auto _ : state) benchmark::DoNotOptimize(ess::synthesize(request)->ids.data());
  state.SetItemsProcessed(state.iterations() * request.steps);
}
BENCHMARK_CAPTURE(trace_synth, 32k, 32'768)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(trace_synth, 128k, 131'072)->Unit(benchmark::kMillisecond);

void miss_curve(benchmark::State& state) {
  const ess::index_trace trace = example_trace();
  const ess::replay_options options{.query_tokens = static_cast<std::int32_t>(state.range(0))};
  for (auto _ : state) benchmark::DoNotOptimize(ess::lru_miss_curve(trace, 0, options).asked);
  state.SetItemsProcessed(state.iterations() * accesses(trace));
}
BENCHMARK(miss_curve)->ArgName("query_tokens")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond);

void optimal(benchmark::State& state) {
  const ess::index_trace trace = example_trace();
  for (auto _ : state) benchmark::DoNotOptimize(ess::optimal_misses(trace, 0, state.range(0)));
  state.SetItemsProcessed(state.iterations() * accesses(trace));
}
BENCHMARK(optimal)->ArgName("pool_rows")->Arg(6'554)->Arg(13'108)->Unit(benchmark::kMillisecond);

void pool_replay(benchmark::State& state, ess::pool_kind policy) {
  const ess::index_trace trace = example_trace();
  for (auto _ : state) benchmark::DoNotOptimize(ess::replay_misses(trace, 0, policy, 6'554));
  state.SetItemsProcessed(state.iterations() * accesses(trace));
}
BENCHMARK_CAPTURE(pool_replay, lru, ess::pool_kind::lru)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pool_replay, sieve, ess::pool_kind::sieve)->Unit(benchmark::kMillisecond);

void pool_split(benchmark::State& state) {
  const std::vector<ess::miss_curve> layers(61, ess::lru_miss_curve(example_trace(), 0));
  for (auto _ : state) benchmark::DoNotOptimize(ess::split_pool(layers, 61 * 6'554)->data());
  state.SetItemsProcessed(state.iterations() * 61);
}
BENCHMARK(pool_split)->Unit(benchmark::kMillisecond);

}  // namespace
