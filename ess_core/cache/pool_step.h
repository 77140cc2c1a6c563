// One step of a pool under a policy: everything but the choice of victims.
//
// A policy is a class of a few short functions, called in this order for a step:
//   Policy(pool, in)        the step begins
//   void forget(slot)       the row there leaves, it was a rejected draft; this step fills the slot again
//   int32 touch(slots)      the rows there, no two alike, are hit: no victims of this step; returns how many
//                           of them the step had not hit before
//   then for each query, in order of use:
//   slot_id victim()        a row that the step does not use leaves; there is one
//   void admit(slot)        a row has come to the slot: no victim of this step
//   void use(locations)     they are used in this order; a location from C on is no slot
//   void end_step()
//   ahead_rows ahead_of_step()  of rows fetched ahead, if the policy knows any
//
// Which ids are hits is a toss-up to a branch predictor, and a wrong guess costs as much as the rest of an
// id. So a query's ids are parted without branches. Those that are not hits form a chain until they have a
// place: the location of each holds the index of the next.
#pragma once

#include <algorithm>
#include <array>

#include "ess_core/cache/sparse_pool.h"

namespace ess {

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
    for (std::int32_t query = 0; query < in_.query_tokens; ++query) find(query);
    stage_surplus();
    for (std::int32_t query = 0; query < in_.query_tokens; ++query) {
      if (query < in_.new_tokens) place_new(query);
      place_rows(query);
    }
    forget_staged();
    policy_.end_step();
    out_.ahead = policy_.ahead_of_step();
  }

 private:
  // Ids that are parted at a time. Small, so that what a block needs is at hand when its hits are touched.
  static constexpr std::size_t block = 32;
  static constexpr std::size_t blocks_ahead = 4;
  static constexpr row_location end_of_chain = -1;

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

  // The ids of a query, without padding, and where their locations go.
  struct asked_ids {
    std::span<const token_id> tokens;
    std::span<row_location> locations;
  };
  [[nodiscard]] asked_ids ids_of(std::int32_t query) const {
    const std::size_t top_k = in_.selected.size() / static_cast<std::size_t>(in_.query_tokens);
    const std::size_t first = static_cast<std::size_t>(query) * top_k;
    std::size_t count = top_k;
    while (count > 0 && in_.selected[first + count - 1] < 0) --count;
    return {in_.selected.subspan(first, count), out_.locations.subspan(first, top_k)};
  }
  [[nodiscard]] row_location& chain_of(std::int32_t query) {
    return chains_[static_cast<std::size_t>(query)];
  }

  // Finds the rows that a query asks for.
  void find(std::int32_t query) {
    const asked_ids ids = ids_of(query);
    row_location* link = &chain_of(query);
    for (std::size_t first = 0; first < ids.tokens.size(); first += block) link = find(ids, first, link);
    *link = end_of_chain;
    std::fill(ids.locations.begin() + std::ssize(ids.tokens), ids.locations.end(), no_location);
  }

  // Those of a block. Returns where the chain goes on.
  row_location* find(const asked_ids& ids, std::size_t first, row_location* link) {
    const std::size_t end = std::min(first + block, ids.tokens.size());
    std::array<slot_id, block> hits;
    std::array<std::uint32_t, block> others;
    std::size_t hit = 0;
    const std::uint32_t capacity = capacity_;
    bring_map(ids.tokens, first + blocks_ahead * block);
    for (std::size_t i = first; i < end; ++i) {
      const slot_id slot = pool_.slot_of[static_cast<std::size_t>(ids.tokens[i])];
      ids.locations[i] = hits[hit] = slot;
      others[i - first - hit] = static_cast<std::uint32_t>(i);
      hit += slot < capacity ? 1 : 0;
    }
    out_.asked += policy_.touch(std::span<const slot_id>(hits).first(hit));
    for (const std::uint32_t i : std::span(others).first(end - first - hit)) {
      ask(ids.tokens[i]);
      *link = static_cast<row_location>(i);
      link = &ids.locations[i];
    }
    return link;
  }

  // Entries of a block into the cache. Ids ascend, so two of them share a line more often than not.
  void bring_map(std::span<const token_id> tokens, std::size_t first) const {
    const std::size_t end = std::min(first + block, tokens.size());
    for (std::size_t i = first; i < end; i += 2)
      __builtin_prefetch(&pool_.slot_of[static_cast<std::size_t>(tokens[i])]);
  }

  // For a row that was not there when the step began.
  void ask(token_id token) {
    slot_id& slot = slot_of(token);
    if (slot == absent) {
      slot = wanted;
      out_.misses[static_cast<std::size_t>(out_.missed++)] = {token, no_location};
      ++out_.asked;
    } else if (slot == fresh) {
      slot = fresh_asked;
      ++out_.asked;
    }
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
    for (; placed_ < std::min(surplus, out_.missed); ++placed_) {
      row_miss& miss = out_.misses[static_cast<std::size_t>(placed_)];
      miss.location = slot_of(miss.token) = next_staging();
    }
    staged_misses_ = placed_;
    for (std::int32_t n = 0; n < in_.new_tokens - room; ++n) slot_of(in_.first_new + n) = next_staging();
  }

  void place_new(std::int32_t query) {
    const token_id token = in_.first_new + query;
    if (slot_of(token) == fresh || slot_of(token) == fresh_asked) admit(token);
    const row_location location = slot_of(token);
    pool_.header->new_rows[static_cast<std::size_t>(query)] = location;
    policy_.use({&location, 1});
  }

  void place_rows(std::int32_t query) {
    const asked_ids ids = ids_of(query);
    for (row_location i = chain_of(query), next; i != end_of_chain; i = next) {
      row_location& location = ids.locations[static_cast<std::size_t>(i)];
      next = location;
      location = place_of(ids.tokens[static_cast<std::size_t>(i)]);
    }
    policy_.use(ids.locations.first(ids.tokens.size()));
  }

  // A row that was not there when the step began.
  row_location place_of(token_id token) {
    slot_id slot = slot_of(token);
    if (slot == wanted) {
      slot = admit(token);
      out_.misses[static_cast<std::size_t>(placed_++)].location = slot;
    }
    const bool is_new = token >= in_.first_new && token < in_.first_new + in_.new_tokens;
    return slot | (is_new ? 0 : incoming_flag);
  }

  void forget_staged() {
    for (std::int32_t i = 0; i < staged_misses_; ++i)
      slot_of(out_.misses[static_cast<std::size_t>(i)].token) = absent;
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

  slot_id admit(token_id token) {
    const slot_id slot = take_slot();
    pool_.token_of[slot] = token;
    slot_of(token) = slot;
    policy_.admit(slot);
    return slot;
  }

  const pool_view& pool_;
  const resolve_input& in_;
  resolve_output& out_;
  slot_id capacity_;
  std::int32_t staged_ = 0;
  std::int32_t staged_misses_ = 0;
  std::int32_t placed_ = 0;                              // misses that have a location, in their order
  std::array<row_location, max_query_tokens> chains_{};  // the first of each query's
  std::array<slot_id, max_query_tokens> freed_{};
  std::size_t freed_count_ = 0;
  Policy policy_;
};

}  // namespace ess
