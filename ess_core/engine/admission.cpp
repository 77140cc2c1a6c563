// Requests in and out: room in both tiers.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "ess_core/engine/decode_engine.h"

namespace ess {

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
  const std::int32_t queries = options_.layout.shape.query_tokens;
  const token_id tokens = what.final_tokens() + queries - 1;  // drafts reach beyond the last token
  seat s{.what = what, .extent = system_.extent(options_.layout.model, tokens, queries)};
  check_ever_fits(s.extent);
  const std::int64_t map_tokens = system_.map_tokens(tokens);
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

bool decode_engine::admit(const request& what) {
  auto room = take_room(what);
  if (!room) return false;
  seats_.push_back(std::move(*room));
  hand_over({active() - 1, 1});
  return true;
}

void decode_engine::admit_batch(const std::vector<request>& requests) {
  const std::int32_t before = active();
  for (const request& what : requests) {
    auto room = take_room(what);
    if (!room) throw std::logic_error(fmt::format("request {} has no room in a layout made for it", what.id));
    seats_.push_back(std::move(*room));
    if (lands()) hand_over({active() - 1, 1});  // one at a time
  }
  if (!lands() && active() > before) hand_over({before, active() - before});
}

}  // namespace ess
