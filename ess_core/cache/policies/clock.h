// CLOCK (Corbato 1968): a hand goes round over the slots. A row that was used since the hand last passed, its
// arrival included, is spared once; a row that the running step uses is passed over and keeps that credit.
#pragma once

#include "ess_core/cache/policies/stamped.h"

namespace ess {

class clock_policy : public stamped_policy {
 public:
  clock_policy(const pool_view& pool, const resolve_input&) : stamped_policy(pool) {}

  slot_id victim() {
    for (;;) {
      slot_id& hand = pool_.header->hand;
      const slot_id slot = hand;
      hand = static_cast<slot_id>((slot + 1) % capacity());
      if (in_use(slot)) continue;
      if (!was_used(slot)) return slot;
      wipe(slot);
    }
  }
};

}  // namespace ess
