// Attention over packed rows, the codec of the rows, and what attention would cost with a library's products.
#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "ess_core/device/cpu/kernels/attend.h"
#include "ess_core/device/cpu/kernels/bench/bench_support.h"
#include "ess_core/device/cpu/kernels/bench/two_products.h"
#include "ess_core/device/cpu/kernels/merge.h"
#include "ess_core/device/cpu/kernels/row_quant.h"
#include "ess_core/device/cpu/kernels/tests/test_data.h"

namespace ess::cpu::bench {
namespace {

using benchmark::State;

constexpr latent_row_format format;
constexpr float scale = 0.06f;

double flops_of(int heads, std::int64_t n) {
  return 2.0 * heads * static_cast<double>(n) * (2 * format.kv_lora + format.rope);
}

// Rows of a request's cache, and selections of n of them that take turns: in a step, too, most of a
// selection's rows are in no near cache.
class selections {
 public:
  explicit selections(std::int64_t n) {
    const std::int64_t lists = std::max<std::int64_t>(1, cached / n);
    for (std::int64_t list = 0; list < lists; ++list) {
      auto& rows = lists_.emplace_back();
      for (std::int64_t i = 0; i < n; ++i) rows.push_back(row((i * lists + list) % cached));
    }
  }
  const std::vector<const std::uint8_t*>& next() { return lists_[next_++ % lists_.size()]; }

 private:
  static constexpr std::int64_t cached = 16'384;
  static const std::uint8_t* row(std::int64_t i) {
    static const std::vector<std::uint8_t> bytes = test::random_rows(cached, format, 1);
    return &bytes[static_cast<std::size_t>(i * format.bytes())];
  }

  std::vector<std::vector<const std::uint8_t*>> lists_;
  std::size_t next_ = 0;
};

struct attention {
  int heads;
  std::vector<float> query = test::random_floats(static_cast<std::size_t>(heads) * 576, 1);
  std::vector<float> out = std::vector<float>(static_cast<std::size_t>(heads) * 512);
  std::vector<float> lse = std::vector<float>(static_cast<std::size_t>(heads));
  aligned_memory scratch{attend_scratch_bytes(heads, format.kv_lora, format.rope)};

  void run(const std::vector<const std::uint8_t*>& rows) {
    cpu::attend({.query = query.data(),
                 .rows = rows.data(),
                 .n = static_cast<std::int64_t>(rows.size()),
                 .heads = heads,
                 .kv_lora = format.kv_lora,
                 .rope = format.rope,
                 .scale = scale,
                 .out = out.data(),
                 .lse = lse.data(),
                 .scratch = scratch.data()});
    benchmark::ClobberMemory();
  }
};

void attend(State& state) {
  const auto heads = static_cast<int>(state.range(0));
  const std::int64_t n = state.range(1);
  selections lists(n);
  attention a{heads};
  for (auto _ : state) a.run(lists.next());
  report_flops(state, flops_of(heads, n));
  state.SetItemsProcessed(state.iterations() * n);
}
BENCHMARK(attend)->ArgNames({"heads", "rows"})->Args({16, 256})->Args({16, 24})->Args({128, 2048});

// The incoming part of `mini`: of 256 pointers 24 are valid.
void attend_mostly_null(State& state) {
  selections lists(24);
  attention a{16};
  std::vector<const std::uint8_t*> rows(256);
  for (auto _ : state) {
    const auto& valid = lists.next();
    std::fill(rows.begin(), rows.end(), nullptr);
    for (std::size_t i = 0; i < valid.size(); ++i) rows[10 * i] = valid[i];
    a.run(rows);
  }
  report_flops(state, flops_of(16, 24));
}
BENCHMARK(attend_mostly_null);

class library_attention {
 public:
  library_attention(attention_sizes sizes, two_products& products) : s_(sizes), products_(products) {}

  void run(const float* query, const std::vector<const std::uint8_t*>& rows, float* out) {
    for (int i = 0; i < s_.rows; ++i) {
      float* row = &rows_[static_cast<std::size_t>(i) * s_.width()];
      unpack_row({.row = rows[i],
                  .kv_lora = s_.kv_lora,
                  .rope = s_.rope,
                  .latent = row,
                  .rotary = row + s_.kv_lora});
    }
    products_.multiply_query(query, rows_.data(), logits_.data());
    soften(logits_.data(), s_, products_.order(), scale, inverse_sums_.data());
    products_.multiply_weights(logits_.data(), rows_.data(), out);
    scale_rows(out, s_.heads, s_.kv_lora, inverse_sums_.data());
  }

 private:
  attention_sizes s_;
  two_products& products_;
  std::vector<float> rows_ = std::vector<float>(static_cast<std::size_t>(s_.rows) * s_.width());
  std::vector<float> logits_ = std::vector<float>(static_cast<std::size_t>(s_.heads) * s_.rows);
  std::vector<float> inverse_sums_ = std::vector<float>(static_cast<std::size_t>(s_.heads));
};

bool agree(std::span<const float> a, std::span<const float> b) {
  float largest = 0, worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::fabs(a[i]));
    worst = std::max(worst, std::fabs(a[i] - b[i]));
  }
  return worst <= 5e-5f * largest;
}

using make_products = std::unique_ptr<two_products> (*)(attention_sizes);

void attend_by_library(State& state, make_products make) {
  const attention_sizes sizes{.heads = 128, .rows = 2048, .kv_lora = format.kv_lora, .rope = format.rope};
  const auto products = make(sizes);
  if (products == nullptr) return state.SkipWithError("not found when this was built");
  selections lists(sizes.rows);
  attention ours{sizes.heads};
  library_attention theirs(sizes, *products);
  std::vector<float> out(ours.out.size());
  const auto& checked = lists.next();
  ours.run(checked);
  theirs.run(ours.query.data(), checked, out.data());
  if (!agree(ours.out, out)) return state.SkipWithError("wrong results");
  for (auto _ : state) {
    theirs.run(ours.query.data(), lists.next(), out.data());
    benchmark::ClobberMemory();
  }
  report_flops(state, flops_of(sizes.heads, sizes.rows));
  state.SetLabel(products->library());
}
BENCHMARK_CAPTURE(attend_by_library, libxsmm, products_of_libxsmm);
BENCHMARK_CAPTURE(attend_by_library, onednn, products_of_onednn);
BENCHMARK_CAPTURE(attend_by_library, openblas, products_of_openblas);

void merge(State& state) {
  const auto heads = static_cast<int>(state.range(0));
  const auto a = test::random_floats(static_cast<std::size_t>(heads) * 512, 1),
             b = test::random_floats(a.size(), 2);
  const auto lse = test::random_floats(static_cast<std::size_t>(heads), 3);
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

void pack_row(State& state) {
  const auto values = test::random_floats(576, 1);
  std::uint8_t row[656];
  for (auto _ : state) {
    cpu::pack_row(
        {.latent = values.data(), .rotary = values.data() + 512, .kv_lora = 512, .rope = 64, .row = row});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(pack_row);

void unpack_row(State& state) {
  const auto bytes = test::random_rows(64, format, 1);
  std::vector<float> values(576);
  std::size_t next = 0;
  for (auto _ : state) {
    cpu::unpack_row({.row = &bytes[next++ % 64 * 656],
                     .kv_lora = 512,
                     .rope = 64,
                     .latent = values.data(),
                     .rotary = values.data() + 512});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(unpack_row);

}  // namespace
}  // namespace ess::cpu::bench
