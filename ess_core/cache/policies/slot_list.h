// Slots in order of arrival: a doubly linked list in a pool's memory. `order` is [C] the older neighbour of
// each slot, then [C] the newer; the header's `begin` and `end` are the oldest and the newest.
#pragma once

#include "ess_core/cache/sparse_pool.h"

namespace ess {

inline constexpr slot_id no_slot = 0xffff;

class slot_list {
 public:
  explicit slot_list(const pool_view& pool)
      : header_(*pool.header), older_(pool.order.data()), newer_(pool.order.data() + pool.token_of.size()) {}

  static void clear(pool_header& header) { header.begin = header.end = no_slot; }

  [[nodiscard]] slot_id oldest() const { return static_cast<slot_id>(header_.begin); }
  [[nodiscard]] slot_id newer(slot_id slot) const { return newer_[slot]; }

  void append(slot_id slot) {
    const auto last = static_cast<slot_id>(header_.end);
    older_[slot] = last;
    newer_[slot] = no_slot;
    if (last == no_slot) {
      header_.begin = slot;
    } else {
      newer_[last] = slot;
    }
    header_.end = slot;
  }

  void remove(slot_id slot) {
    const slot_id older = older_[slot];
    const slot_id newer = newer_[slot];
    if (older == no_slot) {
      header_.begin = newer;
    } else {
      newer_[older] = newer;
    }
    if (newer == no_slot) {
      header_.end = older;
    } else {
      older_[newer] = older;
    }
  }

 private:
  pool_header& header_;
  slot_id* older_;
  slot_id* newer_;
};

}  // namespace ess
