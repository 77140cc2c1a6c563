// One step of one pool by one block of threads: everything but the choice of victims. The steps and their
// order are those of ess_core/cache/pool_step.h; ids of one query are distinct, so its threads never meet at
// a row.
//
// A policy is a class of these device functions:
//   Policy(pool)                        all threads; the step begins
//   void forget(slot)                   one thread: the row there, a rejected draft, leaves; the slot is
//   filled
//                                       again in this step
//   bool touch(slot)                    one thread: a hit; whether the step's first of that row
//   void admit(slot)                    one thread: a row has come to the slot
//   template <Take> int victims(n, take)  all threads: calls take(i, slot) for the i-th row to leave, i < n
//   void use(...), end(...)             all threads: how the step's rows were used
#pragma once

#include "ess_core/device/cuda/kernels/block_scan.h"
#include "ess_core/device/cuda/kernels/resolve.h"

namespace ess::ESS_CUDA {

inline constexpr row_location not_yet = -2;  // of an id whose row was not there when the step began

struct pool_block {
  pool_header* header;
  slot_id* slot_of;
  token_id* token_of;
  std::uint32_t* stamp;
  slot_id* order;
  std::int32_t capacity;
};

__device__ inline pool_block pool_of(const resolve_params& p, const seat_state& seat) {
  const std::int64_t first = p.rows.rows_in(seat.device_base);
  const std::int64_t entries = p.kind == pool_kind::lru ? 2 : 1;
  return {p.pools.headers + seat.home,     p.pools.slot_of + seat.map_base,
          p.pools.token_of + first,        p.pools.stamp + first,
          p.pools.order + first * entries, static_cast<std::int32_t>(p.rows.rows_in(seat.device_rows))};
}

// The ids of a request in a step, and what is found out about them.
struct step_lists {
  const token_id* selected;  // [queries][top_k]
  row_location* locations;   // [queries][top_k]
  row_miss* misses;
  std::int32_t queries, top_k;
  token_id first_new;
  std::int32_t new_tokens;

  [[nodiscard]] __device__ bool is_new(token_id token) const {
    return token >= first_new && token < first_new + new_tokens;
  }
};

__device__ inline std::uint8_t* miss_record(const resolve_params& p, std::int32_t seat) {
  return p.misses + seat * (p.misses_per_seat + 1) * 8;
}

__device__ inline step_lists lists_of(const resolve_params& p, std::int32_t seat) {
  const std::int64_t first = std::int64_t{seat} * p.lanes.queries * p.top_k;
  const seat_state& s = p.lanes.seats[seat];
  return {p.selected + first,
          p.locations + first,
          reinterpret_cast<row_miss*>(miss_record(p, seat) + 8),
          p.lanes.queries,
          p.top_k,
          s.position,
          s.new_tokens};
}

// By one thread.
__device__ inline void report(const resolve_params& p, std::int32_t seat, std::int32_t asked,
                              std::int32_t missed) {
  *reinterpret_cast<std::int32_t*>(miss_record(p, seat)) = missed;
  p.counters[seat] = {asked, asked - missed, missed, 0, 0, 0, 0, 0};
}

// What the threads of a block share beside the lists.
struct step_scratch {
  int counts[32];                               // of block_rank
  std::int32_t missed_after[max_query_tokens];  // misses once a query was looked up
  std::int32_t freed[max_query_tokens];         // slots of rejected drafts; -1: none
  int asked_new;                                // bits: new tokens that somebody selected
};

template <class Policy>
class pool_step_block {
 public:
  __device__ pool_step_block(const pool_block& pool, const step_lists& lists, step_scratch& shared)
      : pool_(pool), lists_(lists), shared_(shared), policy_(pool, shared.counts) {}

  __device__ void run() {
    begin_new();
    for (std::int32_t q = 0; q < lists_.queries; ++q) find(q);
    plan();
    stage();
    take_slots();
    policy_.victims(takes_ - freed_ - unused_, [this](std::int32_t i, slot_id slot) {
      pool_.slot_of[pool_.token_of[slot]] = absent;
      put(freed_ + unused_ + i, slot);
    });
    __syncthreads();
    note_new_rows();
    locate();
    policy_.use(lists_, pool_, hits_ + takes_);
    forget_staged();
    if (threadIdx.x == 0) policy_.end(hits_ + takes_);
  }

  std::int32_t asked_ = 0;
  std::int32_t missed_ = 0;

 private:
  // A rejected draft that had the place of a new token in the context gives up its slot. By all threads
  // alike, but for what they write.
  __device__ void begin_new() {
    for (std::int32_t n = 0; n < lists_.new_tokens; ++n) {
      const slot_id slot = pool_.slot_of[lists_.first_new + n];
      if (slot >= pool_.capacity) continue;
      if (threadIdx.x == 0) shared_.freed[freed_] = slot;
      ++freed_;
    }
    __syncthreads();
    if (threadIdx.x != 0) return;
    for (std::int32_t n = 0; n < lists_.new_tokens; ++n) pool_.slot_of[lists_.first_new + n] = fresh;
    for (std::int32_t i = 0; i < freed_; ++i) policy_.forget(static_cast<slot_id>(shared_.freed[i]));
  }

  __device__ void find(std::int32_t query) {
    __syncthreads();
    for (std::int32_t first = 0; first < lists_.top_k; first += static_cast<std::int32_t>(blockDim.x)) {
      const std::int32_t i = first + static_cast<std::int32_t>(threadIdx.x);
      const std::int32_t at = query * lists_.top_k + i;
      const token_id id = i < lists_.top_k ? lists_.selected[at] : -1;
      const slot_id slot = id >= 0 ? pool_.slot_of[id] : wanted;
      const bool hit = slot < pool_.capacity;
      const bool missing = slot == absent;
      const bool first_ask = hit ? policy_.touch(slot) : missing || slot == fresh;
      if (missing) pool_.slot_of[id] = wanted;
      if (slot == fresh) pool_.slot_of[id] = fresh_asked;
      if (i < lists_.top_k) lists_.locations[at] = id < 0 ? no_location : hit ? slot : not_yet;
      const block_rank_result r = block_rank(missing, shared_.counts);
      if (missing) lists_.misses[missed_ + r.rank] = {id, no_location};
      missed_ += r.total;
      asked_ += __syncthreads_count(first_ask ? 1 : 0);
    }
    if (threadIdx.x == 0) shared_.missed_after[query] = missed_;
  }

  // New tokens take slots first, then the later misses; the earliest misses go to staging.
  __device__ void plan() {
    __syncthreads();
    std::int32_t asked_new = 0;
    for (std::int32_t n = 0; n < lists_.new_tokens; ++n)
      asked_new += pool_.slot_of[lists_.first_new + n] == fresh_asked ? 1 : 0;
    hits_ = asked_ - missed_ - asked_new;
    const std::int32_t room = pool_.capacity - hits_;
    staged_misses_ = max(0, min(missed_ + lists_.new_tokens - room, missed_));
    staged_new_ = max(0, lists_.new_tokens - room);
    takes_ = missed_ - staged_misses_ + lists_.new_tokens - staged_new_;
    unused_ = min(pool_.capacity - pool_.header->used, takes_ - freed_);
    first_unused_ = pool_.header->used;
    __syncthreads();
    if (threadIdx.x == 0) pool_.header->used = static_cast<slot_id>(first_unused_ + unused_);
  }

  __device__ void stage() {
    for (std::int32_t i = static_cast<std::int32_t>(threadIdx.x); i < staged_misses_;
         i += static_cast<std::int32_t>(blockDim.x)) {
      lists_.misses[i].location = pool_.capacity + i;
      pool_.slot_of[lists_.misses[i].token] = static_cast<slot_id>(pool_.capacity + i);
    }
    for (std::int32_t n = static_cast<std::int32_t>(threadIdx.x); n < staged_new_;
         n += static_cast<std::int32_t>(blockDim.x)) {
      pool_.slot_of[lists_.first_new + n] = static_cast<slot_id>(pool_.capacity + staged_misses_ + n);
    }
  }

  // The i-th taker of a slot: of each query its new token, then its misses.
  __device__ void put(std::int32_t i, slot_id slot) {
    token_id token = -1;
    std::int32_t before = 0;
    for (std::int32_t q = 0; q < lists_.queries && token < 0; ++q) {
      if (q >= staged_new_ && q < lists_.new_tokens && before++ == i) token = lists_.first_new + q;
      const std::int32_t from = max(staged_misses_, q > 0 ? shared_.missed_after[q - 1] : 0);
      const std::int32_t count = max(0, shared_.missed_after[q] - from);
      if (token < 0 && i < before + count) {
        row_miss& miss = lists_.misses[from + i - before];
        miss.location = slot;
        token = miss.token;
      }
      before += count;
    }
    pool_.token_of[slot] = token;
    pool_.slot_of[token] = slot;
    policy_.admit(slot);
  }

  // Slots that no row has to leave for: those of rejected drafts, the last first, and those never used.
  __device__ void take_slots() {
    __syncthreads();
    for (std::int32_t i = static_cast<std::int32_t>(threadIdx.x); i < freed_ + unused_;
         i += static_cast<std::int32_t>(blockDim.x)) {
      put(i, i < freed_ ? static_cast<slot_id>(shared_.freed[freed_ - 1 - i])
                        : static_cast<slot_id>(first_unused_ + i - freed_));
    }
    __syncthreads();
  }

  __device__ void note_new_rows() {
    const auto n = static_cast<std::int32_t>(threadIdx.x);
    if (n < lists_.new_tokens) pool_.header->new_rows[n] = pool_.slot_of[lists_.first_new + n];
  }

  __device__ void locate() {
    for (std::int32_t i = static_cast<std::int32_t>(threadIdx.x); i < lists_.queries * lists_.top_k;
         i += static_cast<std::int32_t>(blockDim.x)) {
      if (lists_.locations[i] != not_yet) continue;
      const token_id id = lists_.selected[i];
      lists_.locations[i] = pool_.slot_of[id] | (lists_.is_new(id) ? 0 : incoming_flag);
    }
    __syncthreads();
  }

  __device__ void forget_staged() {
    for (std::int32_t i = static_cast<std::int32_t>(threadIdx.x); i < staged_misses_;
         i += static_cast<std::int32_t>(blockDim.x)) {
      pool_.slot_of[lists_.misses[i].token] = absent;
    }
    for (std::int32_t n = static_cast<std::int32_t>(threadIdx.x); n < staged_new_;
         n += static_cast<std::int32_t>(blockDim.x)) {
      pool_.slot_of[lists_.first_new + n] = absent;
    }
  }

  const pool_block pool_;
  const step_lists lists_;
  step_scratch& shared_;
  Policy policy_;
  std::int32_t freed_ = 0;
  std::int32_t hits_ = 0, takes_ = 0, unused_ = 0, first_unused_ = 0, staged_misses_ = 0, staged_new_ = 0;
};

}  // namespace ess::ESS_CUDA
