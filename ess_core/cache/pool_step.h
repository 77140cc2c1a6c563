// One step of a pool under a policy: everything but the choice of victims.
//
// A policy is a class of a few short functions, called in this order for a step:
//   Policy(pool, in)        the step begins
//   void forget(slot)       the row there leaves, it was a rejected draft; the slot is filled again in this
//   step bool touch(slot)        the row there is hit: no victim of this step; false if that is known already
//   then, in order of use:
//   slot_id victim()        a row that the step does not use leaves; there is one
//   void admit(slot)        a row has come to the slot: no victim of this step
//   void use(slot)          the row there, hit or admitted, is used
//   void end_step()
//   ahead_rows ahead_of_step()  of rows fetched ahead, if the policy knows any
#pragma once

#include <algorithm>
#include <array>

#include "ess_core/cache/sparse_pool.h"

namespace ess {

// Codes in `slot_of` that are neither a slot nor, from C on, a staging row of the running step.
inline constexpr slot_id absent = 0xffff;
inline constexpr slot_id wanted = 0xfffe;       // missed by this step
inline constexpr slot_id fresh = 0xfffd;        // appended by this step
inline constexpr slot_id fresh_asked = 0xfffc;  // appended and selected by this step
static_assert(max_pool_slots + max_query_tokens < fresh_asked);

template <class Policy>
class pool_step {
 public:
  pool_step(const pool_view& pool, const resolve_input& in, resolve_output& out)
      : pool_(pool),
        in_(in),
        out_(out),
        capacity_(static_cast<slot_id>(pool.token_of.size())),
        policy_(pool, in) {}

  void run() {
    out_.asked = 0;
    out_.missed = 0;
    for (std::int32_t n = 0; n < in_.new_tokens; ++n) begin_new(in_.first_new + n);
    classify();
    stage_surplus();
    place_all();
    finish_misses();
    policy_.end_step();
    out_.ahead = policy_.ahead_of_step();
  }

 private:
  // What `locations` holds between the two passes for rows that are not in place yet.
  static constexpr row_location arriving = incoming_flag;
  static constexpr row_location appended = incoming_flag + 1;

  slot_id& slot_of(token_id token) { return pool_.slot_of[static_cast<std::size_t>(token)]; }
  [[nodiscard]] bool is_slot(row_location location) const { return location < capacity_; }

  // A rejected draft that had this place in the context gives up its slot.
  void begin_new(token_id token) {
    slot_id& slot = slot_of(token);
    if (slot < capacity_) {
      policy_.forget(slot);
      freed_[freed_count_++] = slot;
    }
    slot = fresh;
  }

  // Finds the distinct rows asked for.
  void classify() {
    std::int32_t asked = 0;
    std::int32_t missed = 0;
    for (std::size_t i = 0; i < in_.selected.size(); ++i) {
      const token_id token = in_.selected[i];
      if (token < 0) {
        out_.locations[i] = no_location;
        continue;
      }
      slot_id& slot = slot_of(token);
      if (slot < capacity_) {
        asked += policy_.touch(slot) ? 1 : 0;
        out_.locations[i] = slot;
      } else if (slot == absent) {
        slot = wanted;
        out_.misses[static_cast<std::size_t>(missed++)] = {token, no_location};
        ++asked;
        out_.locations[i] = arriving;
      } else {
        asked += slot == fresh ? 1 : 0;
        if (slot == fresh) slot = fresh_asked;
        out_.locations[i] = slot == wanted ? arriving : appended;
      }
    }
    out_.asked = asked;
    out_.missed = missed;
  }

  [[nodiscard]] std::int32_t hits() {
    std::int32_t asked_new = 0;
    for (std::int32_t n = 0; n < in_.new_tokens; ++n)
      asked_new += slot_of(in_.first_new + n) == fresh_asked ? 1 : 0;
    return out_.asked - out_.missed - asked_new;
  }

  // New tokens take slots first, then the later misses; the earliest misses go to staging.
  void stage_surplus() {
    const std::int32_t room = static_cast<std::int32_t>(capacity_) - hits();
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
      const std::size_t first = static_cast<std::size_t>(query) * top_k;
      for (std::size_t i = first; i < first + top_k; ++i) {
        if (out_.locations[i] < 0) continue;
        if (is_slot(out_.locations[i])) {
          policy_.use(static_cast<slot_id>(out_.locations[i]));
        } else {
          out_.locations[i] = place(in_.selected[i], out_.locations[i] == arriving ? incoming_flag : 0);
        }
      }
    }
  }

  void place_new(std::int32_t query) {
    const token_id token = in_.first_new + query;
    if (slot_of(token) == fresh || slot_of(token) == fresh_asked) admit(token);
    pool_.header->new_rows[static_cast<std::size_t>(query)] = slot_of(token);
  }

  // Of a row that was not there when the step began.
  row_location place(token_id token, row_location flag) {
    if (slot_of(token) == wanted) {
      admit(token);
    } else if (is_slot(slot_of(token))) {
      policy_.use(slot_of(token));
    }
    return slot_of(token) | flag;
  }

  // Records where each miss goes; staged rows are forgotten again.
  void finish_misses() {
    for (std::int32_t i = 0; i < out_.missed; ++i) {
      row_miss& miss = out_.misses[static_cast<std::size_t>(i)];
      miss.location = slot_of(miss.token);
      if (!is_slot(miss.location)) slot_of(miss.token) = absent;
    }
    for (std::int32_t n = 0; n < in_.new_tokens; ++n) {
      if (!is_slot(slot_of(in_.first_new + n))) slot_of(in_.first_new + n) = absent;
    }
  }

  slot_id next_staging() { return static_cast<slot_id>(capacity_ + staged_++); }

  // New tokens are as many as rejected drafts at least, and come before misses where room is short: no freed
  // slot outlasts the step.
  slot_id take_slot() {
    if (freed_count_ > 0) return freed_[--freed_count_];
    if (pool_.header->used < capacity_) return pool_.header->used++;
    const slot_id slot = policy_.victim();
    slot_of(pool_.token_of[slot]) = absent;
    return slot;
  }

  void admit(token_id token) {
    const slot_id slot = take_slot();
    pool_.token_of[slot] = token;
    slot_of(token) = slot;
    policy_.admit(slot);
  }

  const pool_view& pool_;
  const resolve_input& in_;
  resolve_output& out_;
  slot_id capacity_;
  std::int32_t staged_ = 0;
  std::array<slot_id, max_query_tokens> freed_{};
  std::size_t freed_count_ = 0;
  Policy policy_;
};

}  // namespace ess
