// From index query to selection, at the sizes of the presets `mini` and `deepseek_v3_2`.
#include <algorithm>
#include <numeric>
#include <vector>

#include "ess_core/device/cpu/kernels/bench/bench_support.h"
#include "ess_core/device/cpu/kernels/index_quant.h"
#include "ess_core/device/cpu/kernels/score_keys.h"
#include "ess_core/device/cpu/kernels/select_topk.h"
#include "ess_core/device/cpu/kernels/tests/test_data.h"

namespace ess::cpu::bench {
namespace {

using benchmark::State;

void score_keys(State& state) {
  const auto heads = static_cast<int>(state.range(0));
  const std::int64_t keys = state.range(1);
  const auto query = test::random_codes(static_cast<std::size_t>(heads) * index_dim, 1);
  const auto weight = test::random_floats(static_cast<std::size_t>(heads), 2);
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

// One list of scores would teach the branch predictor its selection.
class score_lists {
 public:
  explicit score_lists(std::int64_t n)
      : n_(n), scores_(test::random_floats(static_cast<std::size_t>(lists * n), 1)) {}
  const float* next() { return scores_.data() + next_++ % lists * n_; }

 private:
  static constexpr std::int64_t lists = 16;
  std::int64_t n_;
  std::int64_t next_ = 0;
  std::vector<float> scores_;
};

void select_topk(State& state) {
  const auto k = static_cast<std::int32_t>(state.range(0)), n = static_cast<std::int32_t>(state.range(1));
  score_lists lists(n);
  const aligned_memory scratch(select_topk_scratch_bytes(n));
  std::vector<std::int32_t> ids(static_cast<std::size_t>(k));
  for (auto _ : state) {
    cpu::select_topk({.scores = lists.next(), .n = n, .k = k, .ids = ids.data(), .scratch = scratch.data()});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * n);
}
BENCHMARK(select_topk)->ArgNames({"k", "n"})->Args({256, 4096})->Args({2048, 32768})->Args({2048, 131072});

// What select_topk is measured against: the same ids, in any order.
void nth_element(State& state) {
  const auto k = state.range(0), n = state.range(1);
  score_lists lists(n);
  std::vector<std::int32_t> ids(static_cast<std::size_t>(n));
  for (auto _ : state) {
    const float* scores = lists.next();
    std::iota(ids.begin(), ids.end(), 0);
    std::nth_element(ids.begin(), ids.begin() + k, ids.end(), [&](std::int32_t a, std::int32_t b) {
      return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
    });
    benchmark::DoNotOptimize(ids.data());
  }
  state.SetItemsProcessed(state.iterations() * n);
}
BENCHMARK(nth_element)->ArgNames({"k", "n"})->Args({256, 4096})->Args({2048, 131072});

// The same with the scores themselves moved about rather than ids that point to them: faster, but it forgets
// whose they are.
void nth_element_of_scores(State& state) {
  const auto k = state.range(0), n = state.range(1);
  score_lists lists(n);
  std::vector<float> scores(static_cast<std::size_t>(n));
  for (auto _ : state) {
    std::copy_n(lists.next(), n, scores.begin());
    std::nth_element(scores.begin(), scores.begin() + k, scores.end(), std::greater<>());
    benchmark::DoNotOptimize(scores.data());
  }
  state.SetItemsProcessed(state.iterations() * n);
}
BENCHMARK(nth_element_of_scores)->ArgNames({"k", "n"})->Args({2048, 131072});

void quantise_index(State& state) {
  const auto values = test::random_floats(128, 1), cos = test::random_floats(32, 2),
             sin = test::random_floats(32, 3);
  std::uint8_t codes[128];
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        cpu::quantise_index({.values = values.data(), .cos = cos.data(), .sin = sin.data(), .codes = codes}));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(quantise_index);

}  // namespace
}  // namespace ess::cpu::bench
