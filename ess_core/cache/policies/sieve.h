// SIEVE (Zhang et al., NSDI 2024): rows in order of arrival, a hand that goes from the oldest to the newest
// and starts over. A row that was hit since the hand last passed is spared once and stays where it is; a row
// that the running step uses is passed over and keeps that credit.
#pragma once

#include "ess_core/cache/policies/slot_list.h"
#include "ess_core/cache/policies/stamped.h"

namespace ess {

class sieve_policy : public stamped_policy {
 public:
  sieve_policy(const pool_view& pool, const resolve_input&) : stamped_policy(pool), arrivals_(pool) {}

  void forget(slot_id slot) {
    if (pool_.header->hand == slot) pool_.header->hand = arrivals_.newer(slot);
    arrivals_.remove(slot);
    stamped_policy::forget(slot);
  }
  slot_id victim() {
    for (;;) {
      slot_id& hand = pool_.header->hand;
      const slot_id slot = hand == no_slot ? arrivals_.oldest() : hand;
      hand = arrivals_.newer(slot);
      if (in_use(slot)) continue;
      if (!was_hit(slot)) {
        arrivals_.remove(slot);
        return slot;
      }
      wipe(slot);
    }
  }
  void admit(slot_id slot) {
    stamped_policy::admit(slot);
    arrivals_.append(slot);
  }

 private:
  slot_list arrivals_;
};

}  // namespace ess
