// One step of a pool without a map, by one block of threads, as the shipped engines do it: the step's tokens
// go into a hash in shared memory, a walk over all slots in LRU order asks it about each, and the array of
// slots is written again: stale rows, rows that came, hits. Results are those of ess_core/cache/hash_scan.h.
#pragma once

#include "ess_core/device/cuda/kernels/pool_block.h"

namespace ess::ESS_CUDA {

// Entries of the hash: a power of two, at most two thirds of them taken.
__host__ __device__ inline std::int32_t hash_entries(std::int32_t queries, std::int32_t top_k) {
  const std::int32_t most = queries * (top_k + 1);
  std::int32_t entries = 64;
  while (entries < most + most / 2) entries *= 2;
  return entries;
}

inline std::size_t hash_scan_shared_bytes(std::int32_t queries, std::int32_t top_k) {
  const auto list = static_cast<std::size_t>(queries) * (top_k + 1) * sizeof(slot_id);
  return static_cast<std::size_t>(hash_entries(queries, top_k)) * 8 + list;
}

class hash_scan_block {
 public:
  __device__ hash_scan_block(const pool_block& pool, const step_lists& lists, step_scratch& scratch,
                             unsigned char* shared)
      : pool_(pool),
        lists_(lists),
        shared_(scratch),
        entries_(hash_entries(lists.queries, lists.top_k)),
        list_size_(lists.queries * (lists.top_k + 1)),
        token_at_(reinterpret_cast<std::int32_t*>(shared)),
        value_at_(token_at_ + entries_),
        list_(reinterpret_cast<slot_id*>(value_at_ + entries_)) {}

  __device__ void run() {
    if (threadIdx.x == 0) shared_.asked_new = 0;
    if (threadIdx.x < max_query_tokens) shared_.freed[threadIdx.x] = -1;
    fill();
    walk_over_slots();
    number_misses();
    for (std::int32_t n = 0; n < lists_.new_tokens; ++n) freed_ += shared_.freed[n] >= 0 ? 1 : 0;
    asked_ = hits_ + missed_ + __popc(static_cast<unsigned>(shared_.asked_new));
    place();
    locate();
    rewrite_order();
  }

  std::int32_t asked_ = 0;
  std::int32_t missed_ = 0;

 private:
  static constexpr token_id nobody = -1;
  static constexpr std::int32_t unasked = 0x7fffffff;
  static constexpr std::int32_t hit_mark = 0x40000000;     // with the slot
  static constexpr std::int32_t missed_mark = 0x20000000;  // with the place in the list of misses

  [[nodiscard]] __device__ std::int32_t stride() const { return static_cast<std::int32_t>(blockDim.x); }
  [[nodiscard]] __device__ std::int32_t thread() const { return static_cast<std::int32_t>(threadIdx.x); }

  // Fibonacci hashing (Knuth, TAOCP 3, 6.4), then linear probing.
  [[nodiscard]] __device__ std::int32_t first_place(token_id token) const {
    return static_cast<std::int32_t>((static_cast<std::uint32_t>(token) * 2654435769u >> 8) %
                                     static_cast<std::uint32_t>(entries_));
  }
  [[nodiscard]] __device__ std::int32_t next_place(std::int32_t place) const {
    return (place + 1) & (entries_ - 1);
  }
  // -1: the step does not ask for it.
  [[nodiscard]] __device__ std::int32_t find(token_id token) const {
    for (std::int32_t place = first_place(token);; place = next_place(place)) {
      if (token_at_[place] == token) return place;
      if (token_at_[place] == nobody) return -1;
    }
  }
  // The value of an entry becomes the first use of its token in the step.
  __device__ void insert(token_id token, std::int32_t use) {
    std::int32_t place = first_place(token);
    for (;; place = next_place(place)) {
      const std::int32_t found = atomicCAS(&token_at_[place], nobody, token);
      if (found == nobody || found == token) break;
    }
    atomicMin(&value_at_[place], use);
  }

  // Uses are numbered: new tokens, then the ids of each query.
  __device__ void fill() {
    for (std::int32_t i = thread(); i < entries_; i += stride()) {
      token_at_[i] = nobody;
      value_at_[i] = unasked;
    }
    __syncthreads();
    if (thread() < lists_.new_tokens) insert(lists_.first_new + thread(), thread());
    for (std::int32_t i = thread(); i < lists_.queries * lists_.top_k; i += stride()) {
      if (lists_.selected[i] >= 0) insert(lists_.selected[i], lists_.new_tokens + i);
    }
    __syncthreads();
  }

  // Stale rows move to the front of the array; hits go to a list. A slot that holds a new token holds the
  // rejected draft that it replaces.
  __device__ void walk_over_slots() {
    for (std::int32_t first = 0; first < pool_.capacity; first += stride()) {
      const std::int32_t i = first + thread();
      const slot_id slot = i < pool_.capacity ? pool_.order[i] : slot_id{0};
      const token_id token = i < pool_.capacity ? pool_.token_of[slot] : nobody;
      const std::int32_t place = token == nobody ? -1 : find(token);
      const bool draft = token != nobody && lists_.is_new(token);
      const bool hit = place >= 0 && !draft;
      if (draft) shared_.freed[token - lists_.first_new] = slot;
      if (hit) value_at_[place] = hit_mark | slot;
      const bool stale = i < pool_.capacity && !hit && !draft;
      const block_rank_result s = block_rank(stale, shared_.counts);
      const block_rank_result h = block_rank(hit, shared_.counts);
      if (stale) pool_.order[stale_ + s.rank] = slot;
      if (hit) list_[hits_ + h.rank] = slot;
      stale_ += s.total;
      hits_ += h.total;
    }
    __syncthreads();
  }

  __device__ void number_misses() {
    for (std::int32_t first = 0; first < lists_.queries * lists_.top_k; first += stride()) {
      const std::int32_t i = first + thread();
      const token_id id = i < lists_.queries * lists_.top_k ? lists_.selected[i] : nobody;
      const std::int32_t place = id == nobody ? -1 : find(id);
      const bool is_new = id != nobody && lists_.is_new(id);
      if (is_new) atomicOr(&shared_.asked_new, 1 << (id - lists_.first_new));
      const bool missing = id != nobody && !is_new && value_at_[place] == lists_.new_tokens + i;
      const block_rank_result r = block_rank(missing, shared_.counts);
      if (missing) {
        lists_.misses[missed_ + r.rank].token = id;
        value_at_[place] = missed_mark | (missed_ + r.rank);
      }
      missed_ += r.total;
      __syncthreads();
    }
  }

  // The i-th to be taken: the last freed first.
  [[nodiscard]] __device__ slot_id freed_slot(std::int32_t i) const {
    std::int32_t n = lists_.new_tokens - 1;
    for (std::int32_t left = i; n > 0; --n) {
      if (shared_.freed[n] >= 0 && left-- == 0) break;
    }
    return static_cast<slot_id>(shared_.freed[n]);
  }

  // Later misses take slots, then new tokens; the earliest misses go to staging.
  __device__ void place() {
    const std::int32_t room = pool_.capacity - hits_;
    const std::int32_t staged = max(0, min(missed_ + lists_.new_tokens - room, missed_));
    const std::int32_t staged_new = max(0, lists_.new_tokens - room);
    takes_ = missed_ - staged + lists_.new_tokens - staged_new;
    for (std::int32_t i = thread(); i < staged; i += stride()) lists_.misses[i].location = pool_.capacity + i;
    if (thread() < staged_new) pool_.header->new_rows[thread()] = pool_.capacity + staged + thread();
    std::int32_t came_to_free_slots = 0;
    for (std::int32_t first = 0; first < takes_; first += stride()) {
      const std::int32_t t = first + thread();
      bool was_free = false;
      if (t < takes_) {
        const slot_id slot = t < freed_ ? freed_slot(t) : pool_.order[t - freed_];
        const std::int32_t after_misses = t - (missed_ - staged);
        token_id token = lists_.first_new + staged_new + after_misses;
        if (after_misses < 0) {
          row_miss& miss = lists_.misses[staged + t];
          miss.location = slot;
          token = miss.token;
        } else {
          pool_.header->new_rows[staged_new + after_misses] = slot;
        }
        was_free = pool_.token_of[slot] == nobody;
        pool_.token_of[slot] = token;
        list_[list_size_ - 1 - t] = slot;
      }
      came_to_free_slots += __syncthreads_count(was_free ? 1 : 0);
    }
    if (thread() == 0) pool_.header->used = static_cast<slot_id>(pool_.header->used + came_to_free_slots);
    __syncthreads();
  }

  __device__ void locate() {
    for (std::int32_t i = thread(); i < lists_.queries * lists_.top_k; i += stride()) {
      const token_id id = lists_.selected[i];
      row_location location = no_location;
      if (id >= 0 && lists_.is_new(id)) {
        location = pool_.header->new_rows[id - lists_.first_new];
      } else if (id >= 0) {
        const std::int32_t value = value_at_[find(id)];
        location = (value & hit_mark) != 0 ? value & ~hit_mark
                                           : lists_.misses[value & ~missed_mark].location | incoming_flag;
      }
      lists_.locations[i] = location;
    }
  }

  __device__ void rewrite_order() {
    const std::int32_t given_up = max(0, takes_ - freed_);
    const std::int32_t kept = stale_ - given_up;
    for (std::int32_t first = 0; first < kept; first += stride()) {
      const std::int32_t i = first + thread();
      const slot_id slot = i < kept ? pool_.order[i + given_up] : slot_id{0};
      __syncthreads();
      if (i < kept) pool_.order[i] = slot;
      __syncthreads();
    }
    for (std::int32_t t = thread(); t < takes_; t += stride())
      pool_.order[kept + t] = list_[list_size_ - 1 - t];
    for (std::int32_t i = thread(); i < hits_; i += stride()) pool_.order[kept + takes_ + i] = list_[i];
  }

  const pool_block pool_;
  const step_lists lists_;
  step_scratch& shared_;
  std::int32_t entries_, list_size_;
  std::int32_t* token_at_;
  std::int32_t* value_at_;
  slot_id* list_;  // hits from the front, slots of those that came from the back
  std::int32_t stale_ = 0, hits_ = 0, takes_ = 0;
  std::int32_t freed_ = 0;
};

}  // namespace ess::ESS_CUDA
