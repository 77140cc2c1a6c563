// What a pool holds before the first decode step. Ids go through resolve as in a step; rows come once, when
// it is known which the pool has kept.
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

// The selection of a step that asks for `drawn` (by layer), a top-k of them at a time: those from `done` on.
std::vector<token_id> chunk_of(const std::vector<std::vector<token_id>>& drawn, const selection_shape& shape,
                               std::size_t done) {
  std::vector<token_id> ids(shape.size(), -1);
  for (std::size_t layer = 0; layer < drawn.size(); ++layer) {
    const std::size_t from = std::min(done, drawn[layer].size());
    const std::size_t count = std::min(static_cast<std::size_t>(shape.top_k), drawn[layer].size() - from);
    const auto into = std::span(ids).subspan(layer * shape.of_layer(), count);
    std::ranges::copy(std::span(drawn[layer]).subspan(from, count), into.begin());
    std::ranges::sort(into);
  }
  return ids;
}

}  // namespace

void decode_engine::warm_up(batch_slice slice) {
  if (!system_.warms_up() || options_.warm_up == warm_up_kind::empty) return;
  const memory_layout& l = options_.layout;
  if (options_.warm_up == warm_up_kind::windows) {
    insert_windows(slice);
  } else {
    insert_any_rows(slice);
  }
  write_inputs(0);
  const row_origin origin = lands() ? row_origin::landing_area : row_origin::host_store;
  run_between_steps(build_fill_pool_step(l.model, l.shape, system_, slice, origin));
  if (origin == row_origin::landing_area) return;
  for (std::int32_t layer = 0; layer < l.model.layers; ++layer)
    handed_over_.rows_in += sum_of(slice, layer, &row_counters::rows_in);
}

// Replays the selections of the last prompt positions, as many in a step as it has query tokens.
void decode_engine::insert_windows(batch_slice slice) {
  const std::int32_t queries = options_.layout.shape.query_tokens;
  const std::int32_t steps = (options_.warm_up_windows + queries - 1) / queries;
  const auto first = seats_.begin() + slice.first;
  const bool too_short =  // than a step: there is nothing to warm up from
      std::any_of(first, first + slice.count, [&](const seat& s) { return s.what.prompt_tokens < queries; });
  if (steps == 0 || too_short) return;
  std::vector<double> misses(static_cast<std::size_t>(options_.layout.model.layers));
  const auto replayed = [&](std::int32_t step) {
    if (step < steps / 2) return;
    for (std::size_t layer = 0; layer < misses.size(); ++layer)
      misses[layer] +=
          static_cast<double>(sum_of(slice, static_cast<std::int32_t>(layer), &row_counters::misses));
  };
  // Ids that came with the request have no scores.
  if (!device_.has_values()) {
    follow_windows(slice, steps, replayed);
  } else if (system_.pool() != pool_kind::score_aware && knows_windows(slice, steps)) {
    replay_windows(slice, steps, replayed);
  } else {
    select_windows(slice, steps, replayed);
  }
  if (!options_.layer_misses.empty()) return;
  for (double& sum : misses) sum /= (steps - steps / 2) * slice.count;
  options_.layer_misses = std::move(misses);
}

bool decode_engine::knows_windows(batch_slice slice, std::int32_t steps) const {
  for (std::int32_t i = slice.first; i < slice.first + slice.count; ++i) {
    const request& what = seats_[static_cast<std::size_t>(i)].what;
    const auto* ids = prefill_.window_ids(what.id, what.prompt_tokens);
    if (ids == nullptr || static_cast<std::int32_t>(ids->size()) != steps) return false;
    if (ids->front().size() != selected_shape().size()) return false;
  }
  return true;
}

// Whoever meets a request first selects with the indexer; to all later ones the ids come with the request, as
// from prefill.
void decode_engine::select_windows(batch_slice slice, std::int32_t steps, const step_done& replayed) {
  const memory_layout& l = options_.layout;
  const step_program program = build_warm_up_step(l.model, l.shape, system_, slice, warm_up_ids::selected);
  std::vector<std::vector<std::vector<token_id>>> found(static_cast<std::size_t>(slice.count));
  for (std::int32_t step = 0; step < steps; ++step) {
    write_inputs((steps - step) * l.shape.query_tokens);
    run_between_steps(program);
    replayed(step);
    for (std::int32_t i = 0; i < slice.count; ++i)
      found[static_cast<std::size_t>(i)].push_back(selected(slice.first + i));
  }
  for (std::int32_t i = 0; i < slice.count; ++i) {
    const request& what = seats_[static_cast<std::size_t>(slice.first + i)].what;
    prefill_.keep_window_ids(what.id, what.prompt_tokens, std::move(found[static_cast<std::size_t>(i)]));
  }
}

void decode_engine::replay_windows(batch_slice slice, std::int32_t steps, const step_done& replayed) {
  const memory_layout& l = options_.layout;
  const step_program program = build_warm_up_step(l.model, l.shape, system_, slice, warm_up_ids::given);
  write_inputs(l.shape.query_tokens);
  for (std::int32_t step = 0; step < steps; ++step) {
    for (std::int32_t i = slice.first; i < slice.first + slice.count; ++i) {
      const request& what = seats_[static_cast<std::size_t>(i)].what;
      write_selection(i, (*prefill_.window_ids(what.id, what.prompt_tokens))[static_cast<std::size_t>(step)]);
    }
    run_between_steps(program);
    replayed(step);
  }
}

// A device without values has the ids of any position at hand.
void decode_engine::follow_windows(batch_slice slice, std::int32_t steps, const step_done& replayed) {
  const memory_layout& l = options_.layout;
  const step_program program = build_warm_up_step(l.model, l.shape, system_, slice, warm_up_ids::given);
  for (std::int32_t step = 0; step < steps; ++step) {
    write_inputs((steps - step) * l.shape.query_tokens);
    run_between_steps(program);
    replayed(step);
  }
}

// As many rows of the prompt as the pool has slots, drawn anew for each layer.
void decode_engine::insert_any_rows(batch_slice slice) {
  const memory_layout& l = options_.layout;
  const step_program program = build_warm_up_step(l.model, l.shape, system_, slice, warm_up_ids::given);
  std::vector<std::vector<std::vector<token_id>>> drawn;  // by seat in the slice, by layer
  std::size_t most = 0;
  write_inputs(l.shape.query_tokens);
  for (std::int32_t i = slice.first; i < slice.first + slice.count; ++i) {
    const seat& s = seats_[static_cast<std::size_t>(i)];
    drawn.emplace_back();
    if (!device_.follows(s.state)) continue;
    for (std::int32_t layer = 0; layer < l.model.layers; ++layer) {
      const counter_rng rng(options_.seed, purpose::warm_up,
                            static_cast<std::uint32_t>(s.what.id) * 1024 + static_cast<std::uint32_t>(layer));
      drawn.back().push_back(draw_tokens(rng, s.what.prompt_tokens, l.rows_in(layer, s.state.device_rows)));
      most = std::max(most, drawn.back().back().size());
    }
  }
  for (std::size_t done = 0; done < most; done += static_cast<std::size_t>(l.model.top_k)) {
    for (std::int32_t i = 0; i < slice.count; ++i) {
      const auto& of_seat = drawn[static_cast<std::size_t>(i)];
      if (!of_seat.empty()) write_selection(slice.first + i, chunk_of(of_seat, selected_shape(), done));
    }
    run_between_steps(program);
  }
}

}  // namespace ess
