// From index keys to the selected ids.
#include "ess_core/device/cuda/kernels/bench/kernel_bench.h"
#include "ess_core/device/cuda/kernels/score_keys.h"
#include "ess_core/device/cuda/kernels/select_topk.h"

namespace ess::ESS_CUDA::bench {
namespace {

void run_scores(State& state, batch_size b, std::int64_t tokens, score_path path) {
  const std::int32_t heads = model().index_heads;
  const double keys = static_cast<double>(b.seats * tokens);
  const std::int64_t layers = copies_beyond_cache(keys * index_key_bytes);
  const std::int64_t layer = b.seats * index_page_format{}.bytes_for(tokens);
  const array seats(seats_at(b.seats, static_cast<token_id>(tokens) - b.queries, 0, tokens));
  const bytes query = random_codes(std::int64_t{b.lanes()} * heads * index_dim);
  const array<float> weight = random_floats(std::int64_t{b.lanes()} * heads);
  const bytes pages = random_pages(layers * b.seats * tokens);
  const array<float> scores(b.lanes() * tokens);
  const score_keys_params p{.lanes = all_lanes(seats.data(), b),
                            .heads = heads,
                            .query = query.data(),
                            .weight = weight.data(),
                            .pages = nullptr,
                            .scores = scores.data(),
                            .max_context = tokens,
                            .max_keys = tokens,
                            .path = path};
  const auto launch = [&](std::int64_t i, cudaStream_t on) {
    score_keys_params of_layer = p;
    of_layer.pages = pages.data() + i % layers * layer;
    return score_keys(of_layer, on);
  };
  if (launch(0, nullptr) == cudaErrorNotSupported)
    return state.SkipWithError("no e4m3 products on this device");
  time_launches(state, work_of(p, keys), layers, launch);
}

// Scores come from the kernel before, as far as a cache holds them.
void run_topk(State& state, batch_size b, std::int64_t tokens) {
  const std::int64_t lanes = b.lanes();
  const array seats(seats_at(b.seats, static_cast<token_id>(tokens) - b.queries));
  const array<float> scores = random_floats(lanes * tokens);
  const array<std::int32_t> ids(lanes * model().top_k);
  const array<std::byte> scratch(static_cast<std::int64_t>(select_topk_scratch_bytes(lanes, tokens)));
  const select_topk_params p{.lanes = all_lanes(seats.data(), b),
                             .scores = scores.data(),
                             .max_context = tokens,
                             .max_keys = tokens,
                             .k = model().top_k,
                             .ids = ids.data(),
                             .scratch = scratch.data()};
  time_launches(state, work_of(p, static_cast<double>(lanes * tokens)), 1,
                [&](std::int64_t, cudaStream_t on) { return select_topk(p, on); });
}

std::string shape_name(batch_size b, std::int64_t tokens) {
  return fmt::format("tokens:{}/lanes:{}", tokens, b.lanes());
}

}  // namespace

void add_indexer() {
  const std::vector<std::int64_t> contexts = {sized(32'768, 128), sized(131'072, 192)};
  for (const score_path path : {score_path::bf16, score_path::e4m3})
    for (const std::int64_t tokens : contexts)
      for (const batch_size of : batch_sizes())
        for (const std::int32_t queries : {1, 2}) {
          if (of.queries > 1) continue;
          const batch_size b{of.seats, queries};
          add(fmt::format("score_keys/{}/tokens:{}/seats:{}/queries:{}",
                          path == score_path::bf16 ? "bf16" : "e4m3", tokens, b.seats, b.queries),
              [=](State& state) { run_scores(state, b, tokens, path); });
        }
  for (const std::int64_t tokens : contexts)
    for (const batch_size b : batch_sizes())
      add("select_topk/" + shape_name(b, tokens), [=](State& state) { run_topk(state, b, tokens); });
}

}  // namespace ess::ESS_CUDA::bench
