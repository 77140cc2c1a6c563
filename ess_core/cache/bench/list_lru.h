// The textbook LRU, to measure against: rows in a list by last use, a hash map from tokens to their places in
// it. Rows of a running step lie in a list of their own, which makes it step-atomic: its answers are those of
// pool_kind::lru.
#pragma once

#include <list>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ess_core/cache/sparse_pool.h"

namespace ess::bench {

class list_lru {
 public:
  explicit list_lru(std::size_t slots) : slots_(slots) { place_of_.reserve(slots); }

  // One query token without padding, in a pool that holds all its rows.
  void resolve(const resolve_input& in, resolve_output& out) {
    ++step_;
    out.missed = 0;
    for (std::int32_t n = 0; n < in.new_tokens; ++n) use(in.first_new + n);
    used_.clear();
    for (const token_id token : in.selected) {
      const auto [place, was_there] = use(token);
      if (!was_there) out.misses[static_cast<std::size_t>(out.missed++)] = {token, no_location};
      used_.push_back({place, was_there ? 0 : incoming_flag});
    }
    out.asked = static_cast<std::int32_t>(in.selected.size());
    fill_slots();
    for (std::size_t i = 0, miss = 0; i < used_.size(); ++i) {
      out.locations[i] = used_[i].row->slot | used_[i].flag;
      if (used_[i].flag != 0) out.misses[miss++].location = used_[i].row->slot;
    }
    rows_.splice(rows_.end(), of_step_);
  }

 private:
  struct row {
    token_id token;
    slot_id slot;
    std::uint32_t step;  // of the last use
  };
  using row_place = std::list<row>::iterator;
  struct used_row {
    row_place row;
    row_location flag;
  };
  static constexpr slot_id no_slot = 0xffff;

  // Moves the row to the end of the step's; makes it if it is not there.
  std::pair<row_place, bool> use(token_id token) {
    const auto [entry, is_new] = place_of_.try_emplace(token);
    if (is_new) {
      entry->second = of_step_.insert(of_step_.end(), {token, no_slot, step_});
    } else {
      const row_place place = entry->second;
      of_step_.splice(of_step_.end(), place->step == step_ ? of_step_ : rows_, place);
      place->step = step_;
    }
    return {entry->second, !is_new};
  }

  void fill_slots() {
    for (row& r : of_step_) {
      if (r.slot != no_slot) continue;
      if (filled_ < slots_) {
        r.slot = static_cast<slot_id>(filled_++);
      } else {
        r.slot = rows_.front().slot;
        place_of_.erase(rows_.front().token);
        rows_.pop_front();
      }
    }
  }

  std::size_t slots_;
  std::size_t filled_ = 0;
  std::uint32_t step_ = 0;
  std::list<row> rows_, of_step_;
  std::unordered_map<token_id, row_place> place_of_;
  std::vector<used_row> used_;
};

}  // namespace ess::bench
