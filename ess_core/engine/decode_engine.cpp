#include "ess_core/engine/decode_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "ess_core/engine/open_loop.h"
#include "ess_core/nvtx/nvtx.h"

namespace ess {
namespace {

template <class T>
std::span<const std::byte> bytes_of(std::span<const T> values) {
  return std::as_bytes(values);
}

// Of the first id that a seat's query tokens selected in a layer, in bytes.
std::int64_t selection_offset(const memory_layout& l, std::int32_t layer, std::int32_t seat) {
  const std::int64_t lane = (std::int64_t{layer} * l.shape.seats + seat) * l.shape.query_tokens;
  return lane * l.model.top_k * std::int64_t{sizeof(token_id)};
}

void check(const row_counters& c, bool by_location, std::int32_t layer, std::int32_t seat) {
  if (by_location && c.rows_in != c.misses) {
    throw identity_violation(
        fmt::format("layer {}, seat {}: {} misses but {} rows fetched", layer, seat, c.misses, c.rows_in));
  }
  if (c.hits + c.misses != c.asked) {
    throw identity_violation(fmt::format("layer {}, seat {}: {} hits and {} misses of {} rows", layer, seat,
                                         c.hits, c.misses, c.asked));
  }
}

}  // namespace

row_totals& row_totals::operator+=(const row_totals& other) {
  asked += other.asked;
  hits += other.hits;
  misses += other.misses;
  rows_in += other.rows_in;
  rows_out += other.rows_out;
  ahead_in += other.ahead_in;
  ahead_used += other.ahead_used;
  ahead_lost += other.ahead_lost;
  return *this;
}

decode_engine::decode_engine(device& on, const cache_system& system, prefill_source& prefill,
                             const engine_options& options)
    : device_(on),
      system_(system),
      prefill_(prefill),
      options_(options),
      acceptance_(options.layout.shape.query_tokens, options.mean_kept, options.seed),
      index_(options.layout.index_tokens),
      rows_(options.layout.device_rows),
      staging_(options.layout.staging_rows),
      host_(options.layout.host_rows),
      map_(options.layout.map_tokens) {
  for (std::int32_t home = options.layout.shape.seats; home-- > 0;) free_homes_.push_back(home);
}

// Seats, hidden states and, for draft layers, embeddings of the tokens that follow; for a step, or for a
// warm-up step `back` positions before the first decoded token.
void decode_engine::write_inputs(token_id back) {
  const model_dims& model = options_.layout.model;
  const std::int32_t queries = options_.layout.shape.query_tokens;
  const auto hidden = static_cast<std::size_t>(model.hidden);
  const std::size_t lanes = seats_.size() * static_cast<std::size_t>(queries);
  const bool values = device_.has_values();
  std::vector<float> input(values ? lanes * hidden : 0);
  std::vector<float> following(values && model.draft_layers > 0 ? lanes * hidden : 0);
  states_.clear();
  for (const seat& s : seats_) {
    seat_state state = s.state;
    state.position = std::max(0, state.position - back);
    state.new_tokens = back > 0 ? 0 : queries;
    state.kept = back > 0 ? queries : acceptance_.kept(s.what.id, s.steps);
    for (std::int32_t q = 0; q < queries && values; ++q) {
      const std::size_t lane =
          states_.size() * static_cast<std::size_t>(queries) + static_cast<std::size_t>(q);
      token_source source{.seed = options_.seed,
                          .request = state.request,
                          .position = state.position + q,
                          .attempt = attempt_of(q, state.kept)};
      fill_hidden_state(source, std::span(input).subspan(lane * hidden, hidden));
      if (following.empty()) continue;
      ++source.position;
      source.attempt = 0;
      fill_hidden_state(source, std::span(following).subspan(lane * hidden, hidden));
    }
    states_.push_back(state);
  }
  device_.write(buffer_id::seats, 0, bytes_of(std::span<const seat_state>(states_)));
  if (values) {
    device_.write(buffer_id::hidden, 0, bytes_of(std::span<const float>(input)));
    device_.write(buffer_id::draft_input, 0, bytes_of(std::span<const float>(following)));
  }
  const std::vector<row_counters> zero(static_cast<std::size_t>(model.layers * options_.layout.shape.seats));
  device_.write(buffer_id::counters, 0, bytes_of(std::span<const row_counters>(zero)));
}

selection_shape decode_engine::selected_shape() const {
  const memory_layout& l = options_.layout;
  return {.layers = l.model.layers, .query_tokens = l.shape.query_tokens, .top_k = l.model.top_k};
}

std::vector<token_id> decode_engine::selected(std::int32_t index) const {
  const std::size_t width = selected_shape().of_layer();
  std::vector<token_id> ids(selected_shape().size());
  for (std::int32_t layer = 0; layer < options_.layout.model.layers; ++layer) {
    device_.read(
        buffer_id::selected, selection_offset(options_.layout, layer, index),
        std::as_writable_bytes(std::span(ids).subspan(static_cast<std::size_t>(layer) * width, width)));
  }
  return ids;
}

void decode_engine::write_selection(std::int32_t place, const std::vector<token_id>& ids) {
  const std::size_t width = selected_shape().of_layer();
  for (std::int32_t layer = 0; layer < options_.layout.model.layers; ++layer) {
    device_.write(
        buffer_id::selected, selection_offset(options_.layout, layer, place),
        bytes_of(std::span<const token_id>(ids).subspan(static_cast<std::size_t>(layer) * width, width)));
  }
}

const step_program& decode_engine::program_for(std::int32_t active) {
  const auto found = programs_.find(active);
  if (found != programs_.end()) return found->second;
  const memory_layout& l = options_.layout;
  step_program program =
      build_decode_step(l.model, {active, l.shape.query_tokens}, system_,
                        {.kind = options_.overlap,
                         .by_layer = overlap_by_misses(options_.layer_misses, options_.dba_from_misses),
                         .micro_batches = options_.micro_batches,
                         .experts_elsewhere = options_.experts_elsewhere});
  return programs_.emplace(active, std::move(program)).first->second;
}

step_report decode_engine::step(const device::probe& after) {
  const nvtx::scoped_range range("step");
  if (seats_.empty()) throw std::logic_error("a step needs a request");
  step_report report{.program = &program_for(active()), .active = active()};
  write_inputs(0);
  report.timing = device_.run(*report.program, after);
  count_rows(report);
  advance(report);
  return report;
}

std::vector<row_counters> decode_engine::read_counters() const {
  const memory_layout& l = options_.layout;
  std::vector<row_counters> counters(static_cast<std::size_t>(l.model.layers * l.shape.seats));
  device_.read(buffer_id::counters, 0, std::as_writable_bytes(std::span(counters)));
  return counters;
}

std::int64_t decode_engine::sum_of(batch_slice slice, std::int32_t layer,
                                   std::int32_t row_counters::*what) const {
  const std::int32_t seats = options_.layout.shape.seats;
  std::vector<row_counters> counters(static_cast<std::size_t>(slice.count));
  device_.read(buffer_id::counters,
               (std::int64_t{layer} * seats + slice.first) * std::int64_t{sizeof(row_counters)},
               std::as_writable_bytes(std::span(counters)));
  return std::accumulate(counters.begin(), counters.end(), std::int64_t{0},
                         [&](std::int64_t sum, const row_counters& c) { return sum + c.*what; });
}

void decode_engine::count_rows(step_report& report) {
  const memory_layout& l = options_.layout;
  const std::vector<row_counters> counters = read_counters();
  const bool by_location = system_.addressing() == row_addressing::by_location;
  const std::size_t width = selected_shape().of_layer();
  history_.by_layer.resize(static_cast<std::size_t>(l.model.layers));
  step_overlap overlap;
  for (std::int32_t i = 0; i < active(); ++i) {
    seat& s = seats_[static_cast<std::size_t>(i)];
    const bool followed = device_.follows(states_[static_cast<std::size_t>(i)]);
    const std::vector<token_id> ids = followed ? selected(i) : std::vector<token_id>{};
    for (std::int32_t layer = 0; layer < l.model.layers; ++layer) {
      row_counters c = counters[static_cast<std::size_t>(layer * l.shape.seats + i)];
      if (!by_location && followed) {  // every row is in place when it is attended
        c.asked = c.hits = static_cast<std::int32_t>(
            union_size(std::span(ids).subspan(static_cast<std::size_t>(layer) * width, width)));
      }
      check(c, by_location, layer, i);
      history_.by_layer[static_cast<std::size_t>(layer)] += static_cast<double>(c.misses) / active();
      report.rows +=
          {c.asked, c.hits, c.misses, c.rows_in, c.rows_out, c.ahead_in, c.ahead_used, c.ahead_lost};
    }
    if (followed)
      follow(selected_shape(), ids, states_[static_cast<std::size_t>(i)].kept, s.last_kept, overlap);
  }
  report.step_overlap = overlap.share();
  history_.by_step.push_back(static_cast<double>(report.rows.misses) / (active() * l.model.layers));
}

// By the tokens that each request keeps. Requests that have all of theirs leave.
void decode_engine::advance(step_report& report) {
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    seat& s = seats_[i];
    const std::int32_t kept = std::min(states_[i].kept, s.what.output_tokens - s.decoded);
    if (kept < 1 || kept > options_.layout.shape.query_tokens)
      throw identity_violation(fmt::format("seat {} keeps {} tokens", i, kept));
    s.decoded += kept;
    s.state.position += kept;
    ++s.steps;
    report.kept.push_back(kept);
  }
  std::erase_if(seats_, [&](const seat& s) {
    if (s.decoded < s.what.output_tokens) return false;
    give_back(s);
    report.finished.push_back(s.what.id);
    return true;
  });
}

}  // namespace ess
