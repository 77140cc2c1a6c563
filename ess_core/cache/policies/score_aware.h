// The row whose latest indexer score is lowest: the indexer scores every token in every step, so that is the
// score of this step. Of equal scores the larger token id goes, as it would be left out by top-k; NaN counts
// as -inf. O(slots) in a step that evicts: a heap of all rows that the step does not use, in `order`.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "ess_core/cache/policies/stamped.h"

namespace ess {

class score_aware_policy : public stamped_policy {
 public:
  score_aware_policy(const pool_view& pool, const resolve_input& in) : stamped_policy(pool), in_(in) {}

  slot_id victim() {
    const auto leaves_later = [this](slot_id a, slot_id b) { return later(a, b); };
    if (!gathered_) gather();
    if (!gathered_) std::make_heap(pool_.order.data(), pool_.order.data() + candidates_, leaves_later);
    gathered_ = true;
    std::pop_heap(pool_.order.data(), pool_.order.data() + candidates_, leaves_later);
    return pool_.order[--candidates_];
  }

 private:
  // Until the first victim is chosen nothing has left, and rows that come later are in use.
  void gather() {
    for (slot_id slot = 0; slot < capacity(); ++slot) {
      if (!in_use(slot)) pool_.order[candidates_++] = slot;
    }
  }

  // True if `b` leaves before `a`.
  [[nodiscard]] bool later(slot_id a, slot_id b) const {
    const float score_a = score(a);
    const float score_b = score(b);
    return score_a > score_b || (score_a == score_b && pool_.token_of[a] < pool_.token_of[b]);
  }
  [[nodiscard]] float score(slot_id slot) const {
    const float score = in_.scores[static_cast<std::size_t>(pool_.token_of[slot])];
    return std::isnan(score) ? -std::numeric_limits<float>::infinity() : score;
  }

  const resolve_input& in_;
  std::size_t candidates_ = 0;
  bool gathered_ = false;
};

}  // namespace ess
