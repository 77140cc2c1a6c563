// Time of `resolve` at the size of DeepSeek-V3.2 with 32K tokens of context: top-k 2,048, 6,554 slots (ratio
// 0.2), nine of ten rows resident. `per_id` is the time of an id.
//
// hot: one pool, which stays in the caches. cold: a pool for each request and layer, as in a step, 1 GiB in
// rotation (of maps, or of all that a kind without a map keeps), each at its own place in the stream. floor:
// what no pool with a map can do without: read the ids, look each up, write a location.
//
// Aims: lru at most 6 ns an id; at least 4 times as fast as list_and_hash_map and twice as fast as hash_scan.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "ess_core/base/random.h"
#include "ess_core/cache/bench/list_lru.h"
#include "ess_core/cache/owned_pool.h"

namespace ess::bench {
namespace {

using benchmark::Counter;
using benchmark::State;

constexpr std::size_t top_k = 2'048;
constexpr std::size_t slots = 6'554;
constexpr token_id context = 32'768;
constexpr std::size_t steps = 256;  // more branches than a predictor keeps; then the stream starts over
constexpr std::size_t tokens = static_cast<std::size_t>(context) + steps;
constexpr std::size_t cold_bytes = std::size_t{1} << 30;
constexpr std::int64_t cold_steps = 32'768;  // enough to meet each pool; a part of the benchmark's name

// Ids of `steps` steps. A token's score is a sum of a fixed, a slow (AR(1), 64 steps), a fast (4 steps) and a
// white part; a step selects the best of the context and its own new token, in ascending order.
struct id_stream {
  id_stream() : ids(steps * top_k), scores(steps * tokens) {
    std::vector<float> fixed(context), slow(context), fast(context), noise(context);
    draw(0, fixed);
    draw(1, slow);
    draw(2, fast);
    for (std::size_t step = 0; step < steps; ++step) {
      advance(slow, noise, 64, 3 * step + 3);
      advance(fast, noise, 4, 3 * step + 4);
      draw(3 * step + 5, noise);
      float* score = &scores[step * tokens];
      for (std::size_t t = 0; t < context; ++t)
        score[t] = 0.55f * fixed[t] + 0.50f * slow[t] + 0.30f * fast[t] + 0.28f * noise[t];
      select(step, score);
    }
  }

  [[nodiscard]] resolve_input at(std::size_t step) const {
    return {.selected = std::span(ids).subspan(step * top_k, top_k),
            .first_new = context + static_cast<token_id>(step),
            .new_tokens = 1,
            .scores = std::span(scores).subspan(step * tokens, tokens)};
  }

  std::vector<token_id> ids;
  std::vector<float> scores;

 private:
  static void draw(std::uint64_t which, std::vector<float>& out) {
    counter_rng(1, purpose::microbenchmark).fill_unit_variance(out, which * context);
  }
  static void advance(std::vector<float>& value, std::vector<float>& noise, float steps_kept,
                      std::uint64_t which) {
    draw(which, noise);
    const float keep = std::exp(-1 / steps_kept);
    const float add = std::sqrt(1 - keep * keep);
    for (std::size_t t = 0; t < value.size(); ++t) value[t] = keep * value[t] + add * noise[t];
  }
  void select(std::size_t step, const float* score) {
    std::vector<token_id> order(context);
    std::iota(order.begin(), order.end(), 0);
    const auto end = order.begin() + top_k - 1;
    std::nth_element(order.begin(), end, order.end(),
                     [&](token_id a, token_id b) { return score[a] > score[b]; });
    const auto out = ids.begin() + static_cast<std::ptrdiff_t>(step * top_k);
    std::copy(order.begin(), end, out);
    std::sort(out, out + top_k - 1);
    out[top_k - 1] = context + static_cast<token_id>(step);
  }
};

const id_stream& stream() {
  static const id_stream made;
  return made;
}

// Where answers go, and their sum over the steps.
class answers {
 public:
  template <class Pool>
  void take(Pool&& resolve_in, std::size_t step) {
    resolve_in(stream().at(step), out_);
    asked_ += out_.asked;
    missed_ += out_.missed;
  }
  void report(State& state) const {
    const auto ids = static_cast<double>(state.iterations()) * top_k;
    state.SetItemsProcessed(static_cast<std::int64_t>(ids));
    state.counters["per_id"] = Counter(ids, Counter::kIsRate | Counter::kInvert);
    if (asked_ > 0)
      state.counters["hit_rate"] = 1 - static_cast<double>(missed_) / static_cast<double>(asked_);
  }
  [[nodiscard]] std::int64_t missed() const { return missed_; }

 private:
  std::vector<row_location> where_ = std::vector<row_location>(top_k);
  std::vector<row_miss> misses_ = std::vector<row_miss>(top_k);
  resolve_output out_ = {.locations = where_, .misses = misses_};
  std::int64_t asked_ = 0;
  std::int64_t missed_ = 0;
};

auto resolver_of(owned_pool& pool) {
  return [view = pool.view()](const resolve_input& in, resolve_output& out) { resolve(view, in, out); };
}
auto resolver_of(list_lru& pool) {
  return [&pool](const resolve_input& in, resolve_output& out) { pool.resolve(in, out); };
}

// Runs the stream once, so that the pool is in the state that lasts. Returns the misses.
template <class Pool>
std::int64_t warm(Pool& pool) {
  answers unused;
  for (std::size_t step = 0; step < steps; ++step) unused.take(resolver_of(pool), step);
  return unused.missed();
}

template <class Pool>
void run_hot(State& state, Pool& pool) {
  answers to;
  std::size_t step = 0;
  for (auto _ : state) {
    to.take(resolver_of(pool), step);
    step = step + 1 == steps ? 0 : step + 1;
  }
  to.report(state);
}

void hot(State& state, pool_kind kind) {
  owned_pool pool(kind, tokens, slots);
  warm(pool);
  run_hot(state, pool);
}

void list_and_hash_map(State& state) {
  owned_pool same(pool_kind::lru, tokens, slots);
  list_lru pool(slots);
  if (warm(pool) != warm(same)) return state.SkipWithError("its answers are not those of lru");
  run_hot(state, pool);
}

std::size_t cold_pools(pool_kind kind) {
  const pool_footprint each = footprint_of(kind);
  const auto bytes = each.bytes_per_token() > 0 ? each.bytes_per_token() * static_cast<std::int64_t>(tokens)
                                                : each.bytes_per_slot() * static_cast<std::int64_t>(slots);
  return cold_bytes / static_cast<std::size_t>(bytes);
}

// As many pools as `cold_bytes` takes, warm; pool i is next at step i of the stream, which starts over.
std::vector<owned_pool> pools_along_the_stream(pool_kind kind) {
  owned_pool pool(kind, tokens, slots);
  warm(pool);
  std::vector<owned_pool> at_step;
  answers unused;
  for (std::size_t step = 0; step < steps; ++step) {
    at_step.push_back(pool);
    unused.take(resolver_of(pool), step);
  }
  std::vector<owned_pool> all;
  const std::size_t count = cold_pools(kind);
  all.reserve(count);
  for (std::size_t i = 0; i < count; ++i) all.push_back(at_step[i % steps]);
  return all;
}

void cold(State& state, pool_kind kind) {
  std::vector<owned_pool> pools = pools_along_the_stream(kind);
  answers to;
  std::size_t next = 0;
  std::size_t round = 0;
  for (auto _ : state) {
    to.take(resolver_of(pools[next]), (next + round) % steps);
    if (++next == pools.size()) next = 0, ++round;
  }
  to.report(state);
}

void floor_of_maps(State& state, std::size_t maps) {
  const id_stream& of = stream();
  std::vector<std::vector<slot_id>> slot_of(maps, std::vector<slot_id>(tokens, 1));
  std::vector<row_location> where(top_k);
  std::size_t next = 0;
  std::size_t step = 0;
  for (auto _ : state) {
    const token_id* ids = &of.ids[step * top_k];
    const slot_id* map = slot_of[next].data();
    for (std::size_t i = 0; i < top_k; ++i) where[i] = map[ids[i]];
    benchmark::ClobberMemory();
    next = next + 1 == maps ? 0 : next + 1;
    step = step + 1 == steps ? 0 : step + 1;
  }
  answers().report(state);
}

void register_all() {
  benchmark::RegisterBenchmark("floor/hot", floor_of_maps, 1);
  benchmark::RegisterBenchmark("floor/cold", floor_of_maps, cold_pools(pool_kind::lru))
      ->Iterations(cold_steps);
  for (int i = static_cast<int>(pool_kind::lru); i < pool_kind_count; ++i) {
    const auto kind = static_cast<pool_kind>(i);
    benchmark::RegisterBenchmark(("resolve/" + std::string(to_string(kind)) + "_hot").c_str(), hot, kind);
  }
  benchmark::RegisterBenchmark("resolve/list_and_hash_map", list_and_hash_map);
  for (const pool_kind kind : {pool_kind::lru, pool_kind::hash_scan}) {
    benchmark::RegisterBenchmark(("resolve/" + std::string(to_string(kind)) + "_cold").c_str(), cold, kind)
        ->Iterations(cold_steps);
  }
}

[[maybe_unused]] const bool registered = (register_all(), true);

}  // namespace
}  // namespace ess::bench
