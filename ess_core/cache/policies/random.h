// Any row, by counter-based draws. The header's `begin` counts the draws of the pool, so results depend on
// nothing but seed, request, layer and what the pool was asked for.
#pragma once

#include "ess_core/cache/policies/stamped.h"

namespace ess {

class random_policy : public stamped_policy {
 public:
  random_policy(const pool_view& pool, const resolve_input& in) : stamped_policy(pool), in_(in) {}

  // Draws again while the row is in use; where nearly all are, the next one in slot order that is not.
  slot_id victim() {
    slot_id slot = draw();
    for (int again = 1; again < most_draws && in_use(slot); ++again) slot = draw();
    while (in_use(slot)) slot = static_cast<slot_id>((slot + 1) % capacity());
    return slot;
  }

 private:
  static constexpr int most_draws = 16;

  slot_id draw() {
    return static_cast<slot_id>(in_.draws.below(capacity(), in_.first_draw + pool_.header->begin++));
  }

  const resolve_input& in_;
};

}  // namespace ess
