// First in, first out: hits change nothing. A row that the running step uses is passed over and keeps its
// place.
#pragma once

#include "ess_core/cache/policies/slot_list.h"
#include "ess_core/cache/policies/stamped.h"

namespace ess {

class fifo_policy : public stamped_policy {
 public:
  fifo_policy(const pool_view& pool, const resolve_input&)
      : stamped_policy(pool), arrivals_(pool), next_(arrivals_.oldest()) {}

  void forget(slot_id slot) {
    if (next_ == slot) next_ = arrivals_.newer(slot);
    arrivals_.remove(slot);
    stamped_policy::forget(slot);
  }
  // Rows before `next_` stay in use until the step ends, so a step walks the list once at most.
  slot_id victim() {
    while (in_use(next_)) next_ = arrivals_.newer(next_);
    const slot_id slot = next_;
    next_ = arrivals_.newer(slot);
    arrivals_.remove(slot);
    return slot;
  }
  void admit(slot_id slot) {
    stamped_policy::admit(slot);
    arrivals_.append(slot);
  }

 private:
  slot_list arrivals_;
  slot_id next_;
};

}  // namespace ess
