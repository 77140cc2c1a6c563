// Rates of the kernels at the sizes of the presets `mini` and `deepseek_v3_2`. `flops` is to be read beside
// that of fma_rate of the same run: cores differ, and may be shared.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <numeric>

#include "ess_core/device/cpu/kernels/attend.h"
#include "ess_core/device/cpu/kernels/elementwise.h"
#include "ess_core/device/cpu/kernels/fma_rate.h"
#include "ess_core/device/cpu/kernels/gemm.h"
#include "ess_core/device/cpu/kernels/index_quant.h"
#include "ess_core/device/cpu/kernels/merge.h"
#include "ess_core/device/cpu/kernels/row_copy.h"
#include "ess_core/device/cpu/kernels/row_quant.h"
#include "ess_core/device/cpu/kernels/score_keys.h"
#include "ess_core/device/cpu/kernels/select_topk.h"
#include "ess_core/device/cpu/kernels/tests/test_data.h"

namespace ess::cpu::bench {
namespace {

using benchmark::State;
using test::random_floats;

struct aligned_memory {
  explicit aligned_memory(std::size_t bytes)
      : data(std::aligned_alloc(64, (bytes + 63) / 64 * 64), &std::free) {}
  std::unique_ptr<void, decltype(&std::free)> data;
};

void report_flops(State& state, double per_iteration) {
  state.counters["flops"] = benchmark::Counter(per_iteration, benchmark::Counter::kIsIterationInvariantRate,
                                               benchmark::Counter::kIs1000);
}

void fma_rate(State& state) {
  double best = 0;
  for (auto _ : state) best = std::max(best, measure_fma_gflops());
  state.counters["flops"] =
      benchmark::Counter(best * 1e9, benchmark::Counter::kDefaults, benchmark::Counter::kIs1000);
  state.SetLabel(simd_target_name());
}
BENCHMARK(fma_rate)->Iterations(3)->Unit(benchmark::kMillisecond);

// Enough matrices that none is in a cache when its turn comes, as in a step.
void gemm(State& state) {
  const auto m = static_cast<int>(state.range(0)), n = static_cast<int>(state.range(1)),
             k = static_cast<int>(state.range(2));
  const auto w = random_floats(static_cast<std::size_t>(n) * k, 1);
  const auto x = random_floats(static_cast<std::size_t>(m) * k, 2);
  std::vector<float> y(static_cast<std::size_t>(m) * n);
  std::vector<packed_matrix> matrices;
  while (static_cast<std::int64_t>(matrices.size()) * n * k * 4 < (std::int64_t{96} << 20))
    matrices.emplace_back(w.data(), n, k);
  std::size_t next = 0;
  for (auto _ : state) {
    matrices[next].run(m, x.data(), k, y.data(), n);
    next = (next + 1) % matrices.size();
  }
  report_flops(state, 2.0 * m * n * k);
  state.SetBytesProcessed(state.iterations() * std::int64_t{4} * n * k);
}
BENCHMARK(gemm)
    ->ArgNames({"m", "n", "k"})
    ->ArgsProduct({{4, 12, 16, 64}, {4096}, {1024}})
    ->Args({16, 64, 512});

void score_keys(State& state) {
  const auto heads = static_cast<int>(state.range(0));
  const std::int64_t keys = state.range(1);
  const auto query = test::random_codes(static_cast<std::size_t>(heads) * index_dim, 1);
  const auto weight = random_floats(static_cast<std::size_t>(heads), 2);
  const auto pages = test::random_pages(keys, 3);
  std::vector<float> scores(static_cast<std::size_t>(keys));
  for (auto _ : state) {
    cpu::score_keys({.query = query.data(),
                     .weight = weight.data(),
                     .pages = pages.data(),
                     .keys = keys,
                     .heads = heads,
                     .scores = scores.data()});
    benchmark::ClobberMemory();
  }
  report_flops(state, 2.0 * heads * static_cast<double>(keys) * index_dim);
  state.SetItemsProcessed(state.iterations() * keys);
}
BENCHMARK(score_keys)->ArgNames({"heads", "keys"})->Args({8, 4096})->Args({64, 32768});

void attend(State& state) {
  const auto heads = static_cast<int>(state.range(0));
  const std::int64_t n = state.range(1);
  const latent_row_format format;
  const std::size_t pool = 4 * static_cast<std::size_t>(n);  // rows are picked from a larger cache
  const auto bytes = test::random_rows(static_cast<std::int64_t>(pool), format, 1);
  std::vector<const std::uint8_t*> rows;
  for (std::size_t i = 0; i < pool; i += 4) rows.push_back(&bytes[i * format.bytes()]);
  const auto query = random_floats(static_cast<std::size_t>(heads) * 576, 1);
  std::vector<float> out(static_cast<std::size_t>(heads) * 512), lse(static_cast<std::size_t>(heads));
  const aligned_memory scratch(attend_scratch_bytes(heads, format.kv_lora, format.rope));
  for (auto _ : state) {
    cpu::attend({.query = query.data(),
                 .rows = rows.data(),
                 .n = n,
                 .heads = heads,
                 .kv_lora = format.kv_lora,
                 .rope = format.rope,
                 .scale = 0.06f,
                 .out = out.data(),
                 .lse = lse.data(),
                 .scratch = scratch.data.get()});
    benchmark::ClobberMemory();
  }
  report_flops(state, 2.0 * heads * static_cast<double>(n) * (576 + 512));
  state.SetItemsProcessed(state.iterations() * n);
}
BENCHMARK(attend)->ArgNames({"heads", "rows"})->Args({16, 256})->Args({16, 64})->Args({128, 2048});

void select_topk(State& state) {
  const auto k = static_cast<std::int32_t>(state.range(0)), n = static_cast<std::int32_t>(state.range(1));
  const auto scores = random_floats(static_cast<std::size_t>(n), 1);
  const aligned_memory scratch(select_topk_scratch_bytes(n));
  std::vector<std::int32_t> ids(static_cast<std::size_t>(k));
  for (auto _ : state) {
    cpu::select_topk(
        {.scores = scores.data(), .n = n, .k = k, .ids = ids.data(), .scratch = scratch.data.get()});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * n);
}
BENCHMARK(select_topk)->ArgNames({"k", "n"})->Args({256, 4096})->Args({2048, 32768})->Args({2048, 131072});

// What select_topk is measured against.
void nth_element(State& state) {
  const auto k = state.range(0), n = state.range(1);
  const auto scores = random_floats(static_cast<std::size_t>(n), 1);
  std::vector<std::int32_t> ids(static_cast<std::size_t>(n));
  for (auto _ : state) {
    std::iota(ids.begin(), ids.end(), 0);
    std::nth_element(ids.begin(), ids.begin() + k, ids.end(), [&](std::int32_t a, std::int32_t b) {
      return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
    });
    benchmark::DoNotOptimize(ids.data());
  }
  state.SetItemsProcessed(state.iterations() * n);
}
BENCHMARK(nth_element)->ArgNames({"k", "n"})->Args({256, 4096})->Args({2048, 131072});

void merge(State& state) {
  const auto heads = static_cast<int>(state.range(0));
  const auto a = random_floats(static_cast<std::size_t>(heads) * 512, 1), b = random_floats(a.size(), 2);
  const auto lse = random_floats(static_cast<std::size_t>(heads), 3);
  std::vector<float> out(a.size()), merged_lse(lse.size());
  for (auto _ : state) {
    cpu::merge({.out = {a.data(), b.data()},
                .lse = {lse.data(), lse.data()},
                .heads = heads,
                .kv_lora = 512,
                .merged = out.data(),
                .merged_lse = merged_lse.data()});
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(a.size()) * 12);
}
BENCHMARK(merge)->ArgName("heads")->Arg(16)->Arg(128);

void rms_norm(State& state) {
  auto x = random_floats(1024, 1);
  for (auto _ : state) {
    cpu::rms_norm(x.data(), 1024, x.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * 8192);
}
BENCHMARK(rms_norm);

void silu_multiply(State& state) {
  const auto gate = random_floats(4096, 1), up = random_floats(4096, 2);
  std::vector<float> out(4096);
  for (auto _ : state) {
    cpu::silu_multiply(gate.data(), up.data(), 4096, out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * 4096);
}
BENCHMARK(silu_multiply);

void quantise_index(State& state) {
  const auto values = random_floats(128, 1), cos = random_floats(32, 2), sin = random_floats(32, 3);
  std::uint8_t codes[128];
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        cpu::quantise_index({.values = values.data(), .cos = cos.data(), .sin = sin.data(), .codes = codes}));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(quantise_index);

void pack_row(State& state) {
  const auto values = random_floats(576, 1);
  std::uint8_t row[656];
  for (auto _ : state) {
    cpu::pack_row(
        {.latent = values.data(), .rotary = values.data() + 512, .kv_lora = 512, .rope = 64, .row = row});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(pack_row);

// Rows scattered over 168 MB, which no cache holds.
void copy_rows(State& state) {
  const std::int64_t n = state.range(0), total = 256 * 1024;
  const std::vector<std::uint8_t> from(static_cast<std::size_t>(total) * 656, 1);
  std::vector<std::uint8_t> to(static_cast<std::size_t>(n) * 656);
  std::vector<std::int32_t> from_rows(static_cast<std::size_t>(n)), to_rows(from_rows.size());
  std::iota(to_rows.begin(), to_rows.end(), 0);
  const counter_rng rng(1, purpose::microbenchmark);
  std::uint64_t draws = 0;
  for (auto _ : state) {
    state.PauseTiming();
    for (auto& row : from_rows) row = static_cast<std::int32_t>(rng.below(total, draws++));
    state.ResumeTiming();
    benchmark::DoNotOptimize(cpu::copy_rows({.from = from.data(),
                                             .from_pitch = 656,
                                             .from_rows = from_rows.data(),
                                             .to = to.data(),
                                             .to_pitch = 656,
                                             .to_rows = to_rows.data(),
                                             .n = n,
                                             .row_bytes = 656}));
  }
  state.SetBytesProcessed(state.iterations() * n * 656);
}
BENCHMARK(copy_rows)->ArgName("rows")->Arg(2048);

}  // namespace
}  // namespace ess::cpu::bench
