// What the policies other than LRU share: a stamp per slot tells rows of the running step from older ones.
#pragma once

#include "ess_core/cache/sparse_pool.h"

namespace ess {

// A stamp is 2 x step, and one more for a row that came in that step. 0: a policy has wiped it.
class stamped_policy {
 public:
  explicit stamped_policy(const pool_view& pool)
      : pool_(pool), stamp_(pool.stamp.data()), now_(2 * ++pool.header->step) {}

  void forget(slot_id slot) { wipe(slot); }
  std::int32_t touch(std::span<const slot_id> slots) {
    std::int32_t first = 0;
    for (const slot_id slot : slots) {
      if (in_use(slot)) continue;
      stamp_[slot] = now_;
      ++first;
    }
    return first;
  }
  void admit(slot_id slot) { stamp_[slot] = now_ + 1; }
  void use(std::span<const row_location>) {}
  void end_step() {}
  [[nodiscard]] ahead_rows ahead_of_step() const { return {}; }

 protected:
  [[nodiscard]] bool in_use(slot_id slot) const { return stamp_[slot] >= now_; }
  [[nodiscard]] bool was_used(slot_id slot) const { return stamp_[slot] != 0; }  // arrival included
  [[nodiscard]] bool was_hit(slot_id slot) const { return stamp_[slot] != 0 && stamp_[slot] % 2 == 0; }
  void wipe(slot_id slot) { stamp_[slot] = 0; }
  [[nodiscard]] slot_id capacity() const { return static_cast<slot_id>(pool_.token_of.size()); }

  const pool_view& pool_;

 private:
  std::uint32_t* stamp_;
  std::uint32_t now_;
};

}  // namespace ess
