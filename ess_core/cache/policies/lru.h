// Exact least recently used, by a log of uses.
//
// `order` is the log: slots as they were used, room for 2 C. `stamp` of a slot is the place in the log of its
// last use; entries that a slot's stamp does not point to are superseded. The victim is the first entry of
// the log that is not. When the log is full, superseded entries are squeezed out, which frees C places at
// least. So a use writes one stamp and appends one entry, where a linked list would touch four neighbours.
#pragma once

#include "ess_core/cache/sparse_pool.h"

namespace ess {

class lru_policy {
 public:
  lru_policy(const pool_view& pool, const resolve_input&)
      : header_(*pool.header),
        stamp_(pool.stamp.data()),
        log_(pool.order.data()),
        room_(static_cast<std::uint32_t>(pool.order.size())) {}

  void forget(slot_id) {}  // the next row there supersedes its entry
  bool touch(slot_id slot) {
    const bool first = stamp_[slot] != in_use;
    stamp_[slot] = in_use;
    return first;
  }
  slot_id victim() {
    while (superseded(header_.begin)) ++header_.begin;
    return log_[header_.begin++];
  }
  void admit(slot_id slot) { use(slot); }
  void use(slot_id slot) {
    if (header_.end == room_) squeeze();
    stamp_[slot] = header_.end;
    log_[header_.end++] = slot;
  }

 private:
  static constexpr std::uint32_t in_use = 0xffffffff;  // hit, and not yet in the log again

  [[nodiscard]] bool superseded(std::uint32_t entry) const { return stamp_[log_[entry]] != entry; }

  void squeeze() {
    std::uint32_t to = 0;
    for (std::uint32_t from = header_.begin; from < header_.end; ++from) {
      const slot_id slot = log_[from];
      const bool keep = stamp_[slot] == from;
      log_[to] = slot;
      stamp_[slot] = keep ? to : stamp_[slot];
      to += keep ? 1 : 0;
    }
    header_.begin = 0;
    header_.end = to;
  }

  pool_header& header_;
  std::uint32_t* stamp_;
  slot_id* log_;
  std::uint32_t room_;
};

}  // namespace ess
