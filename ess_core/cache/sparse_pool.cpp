#include "ess_core/cache/sparse_pool.h"

#include <algorithm>

namespace ess {
namespace {

// Codes in `slot_of` that are neither a slot nor, from C on, a staging row of the running step.
constexpr slot_id absent = 0xffff;
constexpr slot_id wanted = 0xfffe;       // missed by this step
constexpr slot_id fresh = 0xfffd;        // appended by this step
constexpr slot_id fresh_asked = 0xfffc;  // appended and selected by this step
constexpr slot_id no_slot = 0xffff;      // end of the use order

// One resolve. Stamps are 2 x step for rows that were there (or are new), one more for rows that arrive.
class pool_step {
 public:
  pool_step(const pool_view& pool, const resolve_input& in, resolve_output& out)
      : pool_(pool), in_(in), out_(out), capacity_(static_cast<slot_id>(pool.token_of.size())) {}

  void run() {
    now_ = 2 * ++pool_.header->step;
    out_.asked = 0;
    out_.missed = 0;
    for (std::int32_t n = 0; n < in_.new_tokens; ++n) slot_of(in_.first_new + n) = fresh;
    classify();
    stage_surplus();
    place_all();
    finish_misses();
  }

 private:
  slot_id& slot_of(token_id token) { return pool_.slot_of[static_cast<std::size_t>(token)]; }
  [[nodiscard]] bool used_now(slot_id slot) const { return pool_.stamp[slot] >= now_; }
  [[nodiscard]] bool linked(slot_id slot) const { return pool_.older[slot] != slot; }

  // Finds the distinct rows asked for. Hits leave the use order: what stays there may be evicted.
  void classify() {
    for (const token_id token : in_.selected) {
      if (token < 0) continue;
      slot_id& slot = slot_of(token);
      if (slot == absent) {
        slot = wanted;
        out_.misses[static_cast<std::size_t>(out_.missed++)] = {token, no_location};
        ++out_.asked;
      } else if (slot == fresh) {
        slot = fresh_asked;
        ++out_.asked;
      } else if (slot < capacity_ && !used_now(slot)) {
        unlink(slot);
        pool_.stamp[slot] = now_;
        ++hits_;
        ++out_.asked;
      }
    }
  }

  // New tokens take slots first, then the later misses; the earliest misses go to staging.
  void stage_surplus() {
    const std::int32_t room = static_cast<std::int32_t>(capacity_) - hits_;
    const std::int32_t surplus = out_.missed + in_.new_tokens - room;
    for (std::int32_t i = 0; i < std::min(surplus, out_.missed); ++i) {
      slot_of(out_.misses[static_cast<std::size_t>(i)].token) = next_staging();
    }
    for (std::int32_t n = 0; n < in_.new_tokens - room; ++n) slot_of(in_.first_new + n) = next_staging();
  }

  void place_all() {
    const std::size_t top_k = in_.selected.size() / static_cast<std::size_t>(in_.query_tokens);
    for (std::int32_t query = 0; query < in_.query_tokens; ++query) {
      if (query < in_.new_tokens) place_new(query);
      for (std::size_t rank = 0; rank < top_k; ++rank) place(static_cast<std::size_t>(query) * top_k + rank);
    }
  }

  void place_new(std::int32_t query) {
    const token_id token = in_.first_new + query;
    if (slot_of(token) == fresh || slot_of(token) == fresh_asked) admit(token, now_);
    pool_.header->new_rows[static_cast<std::size_t>(query)] = slot_of(token);
  }

  void place(std::size_t index) {
    const token_id token = in_.selected[index];
    if (token < 0) {
      out_.locations[index] = no_location;
      return;
    }
    if (slot_of(token) == wanted) {
      admit(token, now_ + 1);
    } else if (slot_of(token) < capacity_) {
      touch(slot_of(token));
    }
    const slot_id place = slot_of(token);
    out_.locations[index] = place | (arrives(token, place) ? incoming_flag : 0);
  }

  [[nodiscard]] bool arrives(token_id token, slot_id place) const {
    if (place < capacity_) return pool_.stamp[place] == now_ + 1;
    return token < in_.first_new || token >= in_.first_new + in_.new_tokens;
  }

  // Records where each miss goes; staged rows are forgotten again.
  void finish_misses() {
    for (std::int32_t i = 0; i < out_.missed; ++i) {
      row_miss& miss = out_.misses[static_cast<std::size_t>(i)];
      miss.location = slot_of(miss.token);
      if (slot_of(miss.token) >= capacity_) slot_of(miss.token) = absent;
    }
    for (std::int32_t n = 0; n < in_.new_tokens; ++n) {
      if (slot_of(in_.first_new + n) >= capacity_) slot_of(in_.first_new + n) = absent;
    }
  }

  slot_id next_staging() { return static_cast<slot_id>(capacity_ + staged_++); }

  void admit(token_id token, std::uint32_t stamp) {
    slot_id slot;
    if (pool_.header->used < capacity_) {
      slot = static_cast<slot_id>(pool_.header->used++);
    } else {
      slot = pool_.header->oldest;
      unlink(slot);
      slot_of(pool_.token_of[slot]) = absent;
    }
    pool_.token_of[slot] = token;
    slot_of(token) = slot;
    pool_.stamp[slot] = stamp;
    append(slot);
  }

  void touch(slot_id slot) {
    if (linked(slot)) unlink(slot);
    append(slot);
  }

  void unlink(slot_id slot) {
    const slot_id older = pool_.older[slot];
    const slot_id newer = pool_.newer[slot];
    (older == no_slot ? pool_.header->oldest : pool_.newer[older]) = newer;
    (newer == no_slot ? pool_.header->newest : pool_.older[newer]) = older;
    pool_.older[slot] = slot;  // out of the order
  }

  void append(slot_id slot) {
    const slot_id last = pool_.header->newest;
    pool_.older[slot] = last;
    pool_.newer[slot] = no_slot;
    (last == no_slot ? pool_.header->oldest : pool_.newer[last]) = slot;
    pool_.header->newest = slot;
  }

  const pool_view& pool_;
  const resolve_input& in_;
  resolve_output& out_;
  slot_id capacity_;
  std::uint32_t now_ = 0;
  std::int32_t hits_ = 0;
  std::int32_t staged_ = 0;
};

}  // namespace

void reset(const pool_view& pool) {
  *pool.header = {.oldest = no_slot, .newest = no_slot};
  std::fill(pool.slot_of.begin(), pool.slot_of.end(), absent);
  std::fill(pool.stamp.begin(), pool.stamp.end(), 0u);
}

void resolve(const pool_view& pool, const resolve_input& in, resolve_output& out) {
  pool_step(pool, in, out).run();
}

}  // namespace ess
