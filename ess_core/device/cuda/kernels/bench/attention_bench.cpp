// Attention over selected rows, and the merge of its parts.
#include <algorithm>
#include <numeric>
#include <utility>

#include "ess_core/base/random.h"
#include "ess_core/device/cuda/kernels/attend.h"
#include "ess_core/device/cuda/kernels/bench/kernel_bench.h"
#include "ess_core/device/cuda/kernels/merge.h"

namespace ess::ESS_CUDA::bench {
namespace {

// All numbers below n, in an order fixed by `stream`.
std::vector<std::int32_t> shuffled(std::int32_t n, std::uint32_t stream) {
  const counter_rng rng(1, purpose::microbenchmark, stream);
  std::vector<std::int32_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[rng.below(i + 1, i)]);
  return order;
}

// Some selections of each lane, without a row in common: [selections][lanes][top_k].
std::vector<row_location> scattered_rows(std::int64_t selections, std::int32_t lanes, std::int32_t context) {
  constexpr std::int32_t orders = 8;
  const std::int32_t top_k = model().top_k, blocks = context / top_k;
  std::vector<std::vector<std::int32_t>> order;
  for (std::int32_t i = 0; i < orders; ++i) order.push_back(shuffled(context, static_cast<std::uint32_t>(i)));
  std::vector<row_location> out;
  out.reserve(static_cast<std::size_t>(selections * lanes * top_k));
  for (std::int64_t s = 0; s < selections; ++s)
    for (std::int32_t lane = 0; lane < lanes; ++lane) {
      const std::int64_t block = (s + lane / orders) % blocks;
      const auto first = order[static_cast<std::size_t>(lane % orders)].begin() + block * top_k;
      out.insert(out.end(), first, first + top_k);
    }
  return out;
}

void run_attend(State& state, batch_size b, precision terms) {
  const model_dims& m = model();
  const auto context = static_cast<std::int32_t>(sized(32'768, 128));
  const std::int64_t row_bytes = m.latent_row_bytes().value;
  const std::int64_t selected = std::int64_t{b.lanes()} * m.top_k;
  const std::int64_t selections = std::min<std::int64_t>(
      copies_beyond_cache(static_cast<double>(selected * row_bytes)), context / m.top_k);
  const array seats(seats_at(b.seats, context - b.queries, context));
  const bytes latents = random_rows(std::int64_t{b.seats} * context, row_bytes);
  const array locations(scattered_rows(selections, b.lanes(), context));
  const std::int64_t heads = std::int64_t{b.lanes()} * m.heads;
  const array<float> query = random_floats(heads * m.absorbed_dim());
  const array<float> out(heads * m.kv_lora), lse(heads);
  attend_params p{.lanes = all_lanes(seats.data(), b),
                  .rows = {latents.data(), nullptr, static_cast<std::int32_t>(row_bytes), 65536},
                  .terms = terms,
                  .heads = m.heads,
                  .kv_lora = m.kv_lora,
                  .rope = m.rope,
                  .top_k = m.top_k,
                  .scale = static_cast<float>(m.softmax_scale()),
                  .query = query.data(),
                  .selected = nullptr,
                  .locations = nullptr,
                  .out = out.data(),
                  .lse = lse.data(),
                  .scratch = nullptr};
  const bytes scratch(static_cast<std::int64_t>(attend_scratch_bytes(p)));
  p.scratch = scratch.data();
  time_launches(state, work_of(p), selections, [&](std::int64_t i, cudaStream_t on) {
    attend_params q = p;
    q.locations = locations.data() + i % selections * selected;
    q.selected = q.locations;  // ids count only as not negative
    return attend(q, on);
  });
}

void run_merge(State& state, batch_size b) {
  const model_dims& m = model();
  const std::int64_t heads = std::int64_t{b.lanes()} * m.heads, values = heads * m.kv_lora;
  const array<float> out = random_floats(values), lse = random_floats(heads);
  const array<float> out_2 = random_floats(values), lse_2 = random_floats(heads);
  const merge_params p{all_lanes(nullptr, b), m.heads,     m.kv_lora, out.data(), lse.data(),
                       out_2.data(),          lse_2.data()};
  const double v = static_cast<double>(values), h = static_cast<double>(heads);
  time_launches(state, {8 * v + 8 * h, 4 * v + 4 * h, 3 * v + 8 * h}, 1,
                [&](std::int64_t, cudaStream_t on) { return merge(p, on); });
}

}  // namespace

void add_attention() {
  for (const precision terms : {precision::f32_like, precision::bf16})
    for (const batch_size b : batch_sizes())
      add(fmt::format("attend/{}/lanes:{}", name_of(terms), b.lanes()),
          [=](State& state) { run_attend(state, b, terms); });
  for (const batch_size b : batch_sizes())
    add(fmt::format("merge/lanes:{}", b.lanes()), [=](State& state) { run_merge(state, b); });
}

}  // namespace ess::ESS_CUDA::bench
