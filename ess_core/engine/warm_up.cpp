// What a pool holds before the first decode step. Rows come in by resolve and fetch, as in a step, but
// outside of all times.
#include <algorithm>
#include <numeric>
#include <utility>

#include "ess_core/base/random.h"
#include "ess_core/engine/decode_engine.h"

namespace ess {
namespace {

// The first `count` of a random order of 0 .. size - 1.
std::vector<token_id> draw_tokens(const counter_rng& rng, token_id size, std::int64_t count) {
  std::vector<token_id> all(static_cast<std::size_t>(size));
  std::iota(all.begin(), all.end(), 0);
  const auto wanted = static_cast<std::size_t>(std::min<std::int64_t>(count, size));
  for (std::size_t i = 0; i < wanted; ++i) std::swap(all[i], all[i + rng.below(all.size() - i, i)]);
  all.resize(wanted);
  return all;
}

}  // namespace

void decode_engine::warm_up(batch_slice slice) {
  if (!system_.has_pool()) return;
  switch (options_.warm_up) {
    case warm_up_kind::windows:
      return warm_up_from_windows(slice);
    case warm_up_kind::arbitrary:
      return fill_with_any_rows(slice);
    case warm_up_kind::empty:
      return;
  }
}

bool decode_engine::knows_windows(batch_slice slice, std::int32_t steps) const {
  for (std::int32_t i = slice.first; i < slice.first + slice.count; ++i) {
    const request& what = seats_[static_cast<std::size_t>(i)].what;
    const auto* ids = prefill_.window_ids(what.id, what.prompt_tokens);
    if (ids == nullptr || static_cast<std::int32_t>(ids->size()) != steps) return false;
    if (!ids->empty() && ids->front().size() != selected_shape().size()) return false;
  }
  return true;
}

// Replays the selections of the last prompt positions, as many in a step as it has query tokens. Who meets a
// request first makes them with the indexer; to all later ones they come with the request, as from prefill.
void decode_engine::warm_up_from_windows(batch_slice slice) {
  const std::int32_t queries = options_.layout.shape.query_tokens;
  const std::int32_t steps = (options_.warm_up_windows + queries - 1) / queries;
  const auto first = seats_.begin() + slice.first;
  // A prompt shorter than a step has nothing to warm up from.
  if (std::any_of(first, first + slice.count, [&](const seat& s) { return s.what.prompt_tokens < queries; }))
    return;
  // Ids that came with the request have no scores.
  const bool known = system_.pool() != pool_kind::score_aware && knows_windows(slice, steps);
  const step_program program = warm_up_program(slice, known ? warm_up_ids::given : warm_up_ids::selected);
  std::vector<double> misses(static_cast<std::size_t>(options_.layout.model.layers));
  std::vector<std::vector<std::vector<token_id>>> found(static_cast<std::size_t>(slice.count));
  for (std::int32_t step = 0; step < steps; ++step) {
    write_inputs((steps - step) * queries);
    for (std::int32_t i = 0; known && i < slice.count; ++i) {
      const request& what = seats_[static_cast<std::size_t>(slice.first + i)].what;
      const auto& ids = *prefill_.window_ids(what.id, what.prompt_tokens);
      write_selection(slice.first + i, ids[static_cast<std::size_t>(step)]);
    }
    run_between_steps(program);
    count_warm_up(slice, step >= steps / 2 ? &misses : nullptr);
    for (std::int32_t i = 0; !known && i < slice.count; ++i) {
      found[static_cast<std::size_t>(i)].push_back(read_selection(slice.first + i));
    }
  }
  for (std::int32_t i = 0; !known && i < slice.count; ++i) {
    const request& what = seats_[static_cast<std::size_t>(slice.first + i)].what;
    prefill_.keep_window_ids(what.id, what.prompt_tokens, std::move(found[static_cast<std::size_t>(i)]));
  }
  if (!options_.layer_misses.empty() || steps == 0) return;
  for (double& sum : misses) sum /= (steps - steps / 2) * slice.count;
  options_.layer_misses = std::move(misses);
}

step_program decode_engine::warm_up_program(batch_slice slice, warm_up_ids ids) const {
  return build_warm_up_step(options_.layout.model, options_.layout.shape, system_, slice, ids,
                            lands() ? row_origin::landing_area : row_origin::host_store);
}

// Of the warm-up step just made: what crossed the link, and, if asked for, misses by layer.
void decode_engine::count_warm_up(batch_slice slice, std::vector<double>* misses_by_layer) {
  const std::vector<row_counters> counters = read_counters();
  const std::int32_t seats = options_.layout.shape.seats;
  for (std::int32_t layer = 0; layer < options_.layout.model.layers; ++layer) {
    for (std::int32_t i = slice.first; i < slice.first + slice.count; ++i) {
      const row_counters& c = counters[static_cast<std::size_t>(layer * seats + i)];
      if (!lands()) handed_over_.rows_in += c.rows_in;
      if (misses_by_layer != nullptr) (*misses_by_layer)[static_cast<std::size_t>(layer)] += c.misses;
    }
  }
}

// As many rows of the prompt as the pool has slots, drawn anew for each layer.
void decode_engine::fill_with_any_rows(batch_slice slice) {
  const memory_layout& l = options_.layout;
  const step_program program = warm_up_program(slice, warm_up_ids::given);
  const selection_shape shape = selected_shape();
  // By seat in the slice and layer.
  std::vector<std::vector<token_id>> rows;
  std::size_t most = 0;
  for (std::int32_t i = slice.first; i < slice.first + slice.count; ++i) {
    const seat& s = seats_[static_cast<std::size_t>(i)];
    for (std::int32_t layer = 0; layer < shape.layers; ++layer) {
      const counter_rng rng(options_.seed, purpose::warm_up,
                            static_cast<std::uint32_t>(s.what.id) * 1024 + static_cast<std::uint32_t>(layer));
      rows.push_back(draw_tokens(rng, s.what.prompt_tokens, l.rows_in(layer, s.state.device_rows)));
      most = std::max(most, rows.back().size());
    }
  }
  const auto top_k = static_cast<std::size_t>(shape.top_k);
  for (std::size_t done = 0; done < most; done += top_k) {
    write_inputs(shape.query_tokens);
    for (std::int32_t i = 0; i < slice.count; ++i) {
      std::vector<token_id> ids(shape.size(), -1);
      for (std::size_t layer = 0; layer < static_cast<std::size_t>(shape.layers); ++layer) {
        const auto& of_layer = rows[static_cast<std::size_t>(i * shape.layers) + layer];
        const std::size_t from = std::min(done, of_layer.size());
        const auto chunk = std::span(of_layer).subspan(from, std::min(top_k, of_layer.size() - from));
        const auto into = ids.begin() + static_cast<std::ptrdiff_t>(layer * shape.of_layer());
        std::ranges::copy(chunk, into);
        std::sort(into, into + static_cast<std::ptrdiff_t>(chunk.size()));
      }
      write_selection(slice.first + i, ids);
    }
    run_between_steps(program);
    count_warm_up(slice, nullptr);
  }
}

}  // namespace ess
