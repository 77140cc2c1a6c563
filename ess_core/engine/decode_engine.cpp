#include "ess_core/engine/decode_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "ess_core/engine/open_loop.h"
#include "ess_core/layout/index_key.h"
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

// Both lists ascend and are padded with -1.
std::int64_t common(std::span<const token_id> a, std::span<const token_id> b) {
  std::int64_t count = 0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size() && a[i] >= 0 && b[j] >= 0;) {
    count += a[i] == b[j] ? 1 : 0;
    const bool step_a = a[i] <= b[j];
    const bool step_b = b[j] <= a[i];
    i += step_a ? 1 : 0;
    j += step_b ? 1 : 0;
  }
  return count;
}

}  // namespace

decode_engine::decode_engine(device& on, const cache_system& system, prefill_source& prefill,
                             const engine_options& options)
    : device_(on),
      system_(system),
      prefill_(prefill),
      options_(options),
      index_(options.layout.index_tokens),
      rows_(options.layout.device_rows),
      staging_(options.layout.staging_rows),
      host_(options.layout.host_rows),
      map_(options.layout.map_tokens) {
  for (std::int32_t home = options.layout.shape.seats; home-- > 0;) free_homes_.push_back(home);
}

void decode_engine::check_ever_fits(const request_extent& e) const {
  const memory_layout& l = options_.layout;
  const auto need = [&](memory_tier tier, std::string_view what, std::int64_t asked, std::int64_t room,
                        byte_count each) {
    if (asked > room) throw out_of_memory(tier, what, each * asked, byte_count{0}, each * room);
  };
  const byte_count row = l.model.layers * l.model.latent_row_bytes();
  need(memory_tier::device, "indexer keys of one request", e.index_tokens, l.index_tokens,
       l.model.layers * l.model.index_key_bytes());
  need(memory_tier::device, "latent rows of one request", e.device_rows, l.device_rows, row);
  need(memory_tier::device, "staging rows of one request", e.staging_rows, l.staging_rows,
       l.model.latent_row_bytes());
  need(memory_tier::host, "latent store of one request", e.host_rows, l.host_rows, row);
}

std::optional<decode_engine::seat> decode_engine::take_room(const request& what) {
  if (free_homes_.empty()) return std::nullopt;
  seat s{.what = what,
         .extent =
             system_.extent(options_.layout.model, what.final_tokens(), options_.layout.shape.query_tokens)};
  check_ever_fits(s.extent);
  const std::int64_t map_tokens = system_.map_tokens(what.final_tokens());
  const std::array<std::pair<extent_allocator*, std::int64_t>, 5> wanted = {
      {{&index_, s.extent.index_tokens},
       {&rows_, s.extent.device_rows},
       {&staging_, s.extent.staging_rows},
       {&host_, s.extent.host_rows},
       {&map_, map_tokens}}};
  std::array<std::int64_t, 5> at{};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto place = wanted[i].first->take(wanted[i].second);
    if (!place) {
      for (std::size_t k = 0; k < i; ++k) wanted[k].first->give_back(at[k], wanted[k].second);
      return std::nullopt;
    }
    at[i] = *place;
  }
  s.home = free_homes_.back();
  free_homes_.pop_back();
  s.state = {.request = what.id,
             .home = s.home,
             .position = what.prompt_tokens,
             .index_base = at[0],
             .device_base = at[1],
             .device_rows = s.extent.device_rows,
             .staging_base = at[2],
             .host_base = at[3],
             .map_base = at[4],
             .map_tokens = map_tokens};
  return s;
}

void decode_engine::give_back(const seat& s) {
  index_.give_back(s.state.index_base, s.extent.index_tokens);
  rows_.give_back(s.state.device_base, s.extent.device_rows);
  staging_.give_back(s.state.staging_base, s.extent.staging_rows);
  host_.give_back(s.state.host_base, s.extent.host_rows);
  map_.give_back(s.state.map_base, s.state.map_tokens);
  free_homes_.push_back(s.home);
}

// The prompt's rows go where the system keeps its full cache, its index keys to the device.
void decode_engine::hand_over(const seat& s) {
  const memory_layout& l = options_.layout;
  const auto prompt = prefill_.get(s.what.id, s.what.prompt_tokens);
  const auto row = static_cast<std::size_t>(l.model.latent_row_bytes().value);
  const auto tokens = static_cast<std::size_t>(s.what.prompt_tokens);
  const std::size_t pages = prompt->index.size() / static_cast<std::size_t>(l.model.layers);
  for (std::int32_t layer = 0; layer < l.model.layers; ++layer) {
    const auto at = static_cast<std::size_t>(layer);
    device_.write(buffer_id::index_keys,
                  (layer * l.index_tokens + s.state.index_base) * l.model.index_key_bytes().value,
                  bytes_of(std::span(prompt->index).subspan(at * pages, pages)));
    const auto rows = bytes_of(std::span(prompt->latents).subspan(at * tokens * row, tokens * row));
    if (system_.home() == latent_home::device) {
      device_.write(buffer_id::latents,
                    (layer * l.device_rows + s.state.device_base) * static_cast<std::int64_t>(row), rows);
      continue;
    }
    const std::int64_t first = layer * l.host_rows + s.state.host_base;
    if (l.host_row_pitch == static_cast<std::int32_t>(row)) {
      device_.write(buffer_id::host_latents, first * l.host_row_pitch, rows);
    } else {
      for (std::size_t token = 0; token < tokens; ++token) {
        device_.write(buffer_id::host_latents, (first + static_cast<std::int64_t>(token)) * l.host_row_pitch,
                      rows.subspan(token * row, row));
      }
    }
  }
  device_.reset_pool(s.state);
}

// Seats and hidden states for a step, or for a warm-up step `back` positions before the first decoded token.
void decode_engine::write_inputs(token_id back) {
  const std::int32_t queries = options_.layout.shape.query_tokens;
  const auto hidden = static_cast<std::size_t>(options_.layout.model.hidden);
  std::vector<float> input(seats_.size() * static_cast<std::size_t>(queries) * hidden);
  states_.clear();
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    seat_state state = seats_[i].state;
    state.position = std::max(0, state.position - back);
    state.new_tokens = back > 0 ? 0 : queries;
    for (std::int32_t q = 0; q < queries; ++q) {
      fill_hidden_state(
          {.seed = options_.seed, .request = state.request, .position = state.position + q},
          std::span(input).subspan(
              (i * static_cast<std::size_t>(queries) + static_cast<std::size_t>(q)) * hidden, hidden));
    }
    states_.push_back(state);
  }
  device_.write(buffer_id::seats, 0, bytes_of(std::span<const seat_state>(states_)));
  device_.write(buffer_id::hidden, 0, bytes_of(std::span<const float>(input)));
  const std::vector<row_counters> zero(
      static_cast<std::size_t>(options_.layout.model.layers * options_.layout.shape.seats));
  device_.write(buffer_id::counters, 0, bytes_of(std::span<const row_counters>(zero)));
}

std::vector<token_id> decode_engine::read_selection(std::int32_t place) const {
  const memory_layout& l = options_.layout;
  const auto width = static_cast<std::size_t>(l.shape.query_tokens) * static_cast<std::size_t>(l.model.top_k);
  std::vector<token_id> ids(width * static_cast<std::size_t>(l.model.layers));
  for (std::int32_t layer = 0; layer < l.model.layers; ++layer) {
    device_.read(
        buffer_id::selected, selection_offset(l, layer, place),
        std::as_writable_bytes(std::span(ids).subspan(static_cast<std::size_t>(layer) * width, width)));
  }
  return ids;
}

void decode_engine::write_selection(std::int32_t place, const std::vector<token_id>& ids) {
  const memory_layout& l = options_.layout;
  const std::size_t width = ids.size() / static_cast<std::size_t>(l.model.layers);
  for (std::int32_t layer = 0; layer < l.model.layers; ++layer) {
    device_.write(
        buffer_id::selected, selection_offset(l, layer, place),
        bytes_of(std::span<const token_id>(ids).subspan(static_cast<std::size_t>(layer) * width, width)));
  }
}

bool decode_engine::knows_windows(batch_slice slice) const {
  for (std::int32_t i = slice.first; i < slice.first + slice.count; ++i) {
    const request& what = seats_[static_cast<std::size_t>(i)].what;
    const auto* ids = prefill_.window_ids(what.id, what.prompt_tokens);
    if (ids == nullptr || static_cast<std::int32_t>(ids->size()) != options_.warm_up_windows) return false;
  }
  return true;
}

// Replays the selections of the last prompt positions. Who meets a request first makes them with the indexer;
// to all later ones they come with the request, as from prefill.
void decode_engine::warm_up(batch_slice slice) {
  if (!system_.has_pool() || options_.warm_up == warm_up_kind::empty) return;
  // Ids that came with the request have no scores.
  const bool known = system_.pool() != pool_kind::score_aware && knows_windows(slice);
  const step_program program = build_warm_up_step(options_.layout.model, options_.layout.shape, system_,
                                                  slice, known ? warm_up_ids::given : warm_up_ids::selected);
  std::vector<std::vector<std::vector<token_id>>> found(static_cast<std::size_t>(slice.count));
  for (token_id back = options_.warm_up_windows; back > 0; --back) {
    write_inputs(back);
    for (std::int32_t i = 0; known && i < slice.count; ++i) {
      const request& what = seats_[static_cast<std::size_t>(slice.first + i)].what;
      const auto& ids = *prefill_.window_ids(what.id, what.prompt_tokens);
      write_selection(slice.first + i, ids[static_cast<std::size_t>(options_.warm_up_windows - back)]);
    }
    device_.run(program, [](const operation&) {});  // not a measurement
    for (std::int32_t i = 0; !known && i < slice.count; ++i) {
      found[static_cast<std::size_t>(i)].push_back(read_selection(slice.first + i));
    }
  }
  for (std::int32_t i = 0; !known && i < slice.count; ++i) {
    const request& what = seats_[static_cast<std::size_t>(slice.first + i)].what;
    prefill_.keep_window_ids(what.id, what.prompt_tokens, std::move(found[static_cast<std::size_t>(i)]));
  }
}

bool decode_engine::admit(const request& what) {
  auto room = take_room(what);
  if (!room) return false;
  seats_.push_back(std::move(*room));
  hand_over(seats_.back());
  warm_up({active() - 1, 1});
  return true;
}

void decode_engine::admit_batch(const std::vector<request>& requests) {
  const std::int32_t before = active();
  for (const request& what : requests) {
    auto room = take_room(what);
    if (!room) throw std::logic_error(fmt::format("request {} has no room in a layout made for it", what.id));
    seats_.push_back(std::move(*room));
    hand_over(seats_.back());
  }
  if (active() > before) warm_up({before, active() - before});
}

const step_program& decode_engine::program_for(std::int32_t active) {
  const auto found = programs_.find(active);
  if (found != programs_.end()) return found->second;
  const memory_layout& l = options_.layout;
  step_program program =
      build_decode_step(l.model, {active, l.shape.query_tokens}, system_, options_.overlap);
  return programs_.emplace(active, std::move(program)).first->second;
}

step_report decode_engine::step(const device::probe& after) {
  const nvtx::scoped_range range("step");
  if (seats_.empty()) throw std::logic_error("a step needs a request");
  step_report report{.program = &program_for(active()), .active = active(), .tokens = active()};
  write_inputs(0);
  report.timing = device_.run(*report.program, after);
  count_rows(report);
  compare_selections(report);
  for (seat& s : seats_) {
    ++s.decoded;
    ++s.state.position;
  }
  retire(report);
  return report;
}

void decode_engine::count_rows(step_report& report) {
  const memory_layout& l = options_.layout;
  std::vector<row_counters> counters(static_cast<std::size_t>(l.model.layers * l.shape.seats));
  device_.read(buffer_id::counters, 0, std::as_writable_bytes(std::span(counters)));
  const bool by_location = system_.addressing() == row_addressing::by_location;
  for (std::int32_t layer = 0; layer < l.model.layers; ++layer) {
    for (std::int32_t i = 0; i < active(); ++i) {
      row_counters c = counters[static_cast<std::size_t>(layer * l.shape.seats + i)];
      if (!by_location) {  // every row is in place when it is attended
        c.asked = c.hits = std::min(l.model.top_k, states_[static_cast<std::size_t>(i)].position + 1);
      } else if (c.rows_in != c.misses) {
        throw identity_violation(
            fmt::format("layer {}, seat {}: {} misses but {} rows fetched", layer, i, c.misses, c.rows_in));
      }
      if (c.hits + c.misses != c.asked) {
        throw identity_violation(fmt::format("layer {}, seat {}: {} hits and {} misses of {} rows", layer, i,
                                             c.hits, c.misses, c.asked));
      }
      report.rows.asked += c.asked;
      report.rows.hits += c.hits;
      report.rows.misses += c.misses;
      report.rows.rows_in += c.rows_in;
      report.rows.rows_out += c.rows_out;
    }
  }
}

void decode_engine::compare_selections(step_report& report) {
  const memory_layout& l = options_.layout;
  const auto width = static_cast<std::size_t>(l.shape.query_tokens) * static_cast<std::size_t>(l.model.top_k);
  std::int64_t same = 0;
  std::int64_t all = 0;
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    std::vector<token_id> now = read_selection(static_cast<std::int32_t>(i));
    for (std::size_t at = 0; !seats_[i].previous.empty() && at < now.size(); at += width) {
      const auto ids = std::span<const token_id>(now).subspan(at, width);
      same += common(std::span<const token_id>(seats_[i].previous).subspan(at, width), ids);
      all += std::count_if(ids.begin(), ids.end(), [](token_id id) { return id >= 0; });
    }
    seats_[i].previous = std::move(now);
  }
  if (all > 0) report.step_overlap = static_cast<double>(same) / static_cast<double>(all);
}

void decode_engine::retire(step_report& report) {
  std::erase_if(seats_, [&](const seat& s) {
    if (s.decoded < s.what.output_tokens) return false;
    give_back(s);
    report.finished.push_back(s.what.id);
    return true;
  });
}

}  // namespace ess
