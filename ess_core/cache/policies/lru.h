// Exact least recently used, by a log of uses.
//
// `order` is the log: slots as they were used, room for 2 C. `stamp` of a slot is the place in the log of its
// last use; entries that a slot's stamp does not point to are superseded. The victim is the first entry of
// the log that is not. When the log is full, superseded entries are squeezed out, which frees C places at
// least. So a use writes one stamp and appends one entry, where a linked list would touch four neighbours.
//
// A row fetched ahead takes the slot and the place in the order of the row that leaves for it, so that it
// goes first if nobody asks; its stamp is marked until somebody does. Between steps the header's `hand`
// counts the rows that may leave so, none of which the last step used, and `step` is the entry of the log to
// go on at.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>

#include "ess_core/cache/sparse_pool.h"

namespace ess {

class lru_policy {
 public:
  explicit lru_policy(const pool_view& pool)
      : header_(*pool.header),
        stamp_(pool.stamp.data()),
        log_(pool.order.data()),
        room_(static_cast<std::uint32_t>(pool.order.size())),
        capacity_(static_cast<std::uint32_t>(pool.stamp.size())) {}
  lru_policy(const pool_view& pool, const resolve_input&) : lru_policy(pool) {}

  void forget(slot_id) {}  // the next row there supersedes its entry
  std::int32_t touch(std::span<const slot_id> slots) {
    std::uint32_t first = 0;
    std::uint32_t came_ahead = 0;
    for (const slot_id slot : slots) {
      const std::uint32_t stamp = std::exchange(stamp_[slot], in_use);
      first += stamp != in_use ? 1 : 0;
      came_ahead += stamp / ahead;
    }
    ahead_.used += static_cast<std::int32_t>(came_ahead);
    in_step_ += first;
    return static_cast<std::int32_t>(first);
  }
  slot_id victim() {
    while (superseded(header_.begin)) ++header_.begin;
    const slot_id slot = log_[header_.begin++];
    ahead_.lost += stamp_[slot] / ahead;
    return slot;
  }
  void admit(slot_id slot) {
    stamp_[slot] = in_use;
    ++in_step_;
  }
  void use(std::span<const row_location> rows) {
    while (!rows.empty()) {
      if (header_.end == room_) squeeze();
      const std::size_t now = std::min<std::size_t>(rows.size(), room_ - header_.end);
      append(rows.first(now));
      rows = rows.subspan(now);
    }
  }
  void end_step() {
    header_.hand = static_cast<slot_id>(header_.used - in_step_);
    header_.step = header_.begin;
  }
  // Of the rows fetched ahead, those that this step asked for or gave up unasked.
  [[nodiscard]] ahead_rows ahead_of_step() const { return ahead_; }

  // Between steps: the slot for a row that comes ahead; none if all others are in use.
  std::optional<slot_id> admit_ahead() {
    if (header_.used < capacity_) {
      const slot_id slot = header_.used++;
      const row_location location = slot;
      use({&location, 1});
      stamp_[slot] |= ahead;
      return slot;
    }
    if (header_.hand == 0) return std::nullopt;
    --header_.hand;
    while (superseded(header_.step)) ++header_.step;
    const slot_id slot = log_[header_.step++];
    ahead_.lost += stamp_[slot] / ahead;
    stamp_[slot] |= ahead;
    return slot;
  }

 private:
  static constexpr std::uint32_t ahead = 0x8000'0000;   // marks a stamp
  static constexpr std::uint32_t in_use = 0x7fff'ffff;  // hit, and not yet in the log again

  [[nodiscard]] bool superseded(std::uint32_t entry) const { return (stamp_[log_[entry]] & ~ahead) != entry; }

  // Where there is room for all. Rows in staging are no entries.
  void append(std::span<const row_location> rows) {
    std::uint32_t* const stamp = stamp_;
    slot_id* const log = log_;
    const std::uint32_t capacity = capacity_;
    std::uint32_t end = header_.end;
    for (const row_location row : rows) {
      const auto slot = static_cast<std::uint32_t>(row & ~incoming_flag);
      if (slot >= capacity) continue;
      stamp[slot] = end;
      log[end++] = static_cast<slot_id>(slot);
    }
    header_.end = end;
  }

  // In two passes, none of which branches on what is as likely as not.
  void squeeze() {
    const std::uint32_t end = header_.end;
    std::uint32_t to = 0;
    for (std::uint32_t from = header_.begin; from < end; ++from) {
      const slot_id slot = log_[from];
      const bool keep = !superseded(from);
      log_[to] = slot;
      to += keep ? 1 : 0;
    }
    for (std::uint32_t entry = 0; entry < to; ++entry) {
      std::uint32_t& stamp = stamp_[log_[entry]];
      stamp = entry | (stamp & ahead);
    }
    header_.begin = 0;
    header_.end = to;
  }

  pool_header& header_;
  std::uint32_t* stamp_;
  slot_id* log_;
  std::uint32_t room_;
  std::uint32_t capacity_;
  std::uint32_t in_step_ = 0;  // distinct rows
  ahead_rows ahead_;
};

}  // namespace ess
