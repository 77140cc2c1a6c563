#include "ess_core/device/cuda/kernel.h"
#include "ess_core/device/cuda/kernels/hash_scan_block.h"
#include "ess_core/device/cuda/kernels/pool_block.h"
#include "ess_core/device/cuda/kernels/resolve.h"

namespace ess::ESS_CUDA {
namespace {

#ifdef ESSBENCH_CUDA_EMULATED
constexpr int resolve_threads = 128;  // a thread costs more there than an iteration
#else
constexpr int resolve_threads = 1024;
#endif

// Exact LRU by a log of uses, as ess_core/cache/policies/lru.h keeps it: the victim is the first entry that
// the stamp of its slot points to. Of a step only the last use of each row goes into the log.
class lru_block {
 public:
  __device__ lru_block(const pool_block& pool, int* counts) : pool_(pool), counts_(counts) {}

  __device__ void forget(slot_id slot) { pool_.stamp[slot] = in_use; }
  __device__ bool touch(slot_id slot) {
    const bool first = pool_.stamp[slot] != in_use;
    pool_.stamp[slot] = in_use;
    return first;
  }
  __device__ void admit(slot_id slot) { pool_.stamp[slot] = in_use; }

  template <class Take>
  __device__ void victims(std::int32_t wanted_rows, const Take& take) {
    std::uint32_t begin = pool_.header->begin;
    __syncthreads();
    const std::uint32_t end = pool_.header->end;
    for (std::int32_t found = 0; found < wanted_rows; begin += blockDim.x) {
      const std::uint32_t entry = begin + threadIdx.x;
      const slot_id slot = entry < end ? pool_.order[entry] : slot_id{0};
      const bool last_use = entry < end && pool_.stamp[slot] == entry;
      const block_rank_result r = block_rank(last_use, counts_);
      const std::int32_t i = found + r.rank;
      if (last_use && i < wanted_rows) {
        take(i, slot);
        if (i == wanted_rows - 1) pool_.header->begin = entry + 1;
      }
      found += r.total;
      __syncthreads();
    }
  }

  // `distinct`: rows of the step that have slots.
  __device__ void use(const step_lists& lists, const pool_block& pool, std::int32_t distinct) {
    for (std::int32_t q = 0; q < lists.queries; ++q) mark(lists, q);
    if (pool.header->end + static_cast<std::uint32_t>(distinct) >
        2u * static_cast<std::uint32_t>(pool.capacity))
      squeeze();
    append(lists);
  }
  __device__ void end(std::int32_t distinct) {
    pool_.header->hand = static_cast<slot_id>(pool_.header->used - distinct);
    pool_.header->step = pool_.header->begin;
  }

 private:
  static constexpr std::uint32_t in_use = 0x7fff'ffff;       // and not yet in the log again
  static constexpr std::uint32_t use_of_step = 0x4000'0000;  // marks the number of a use

  // Uses of a step are numbered: of each query its new token, then its ids. A later query overwrites.
  [[nodiscard]] __device__ static std::uint32_t first_use(const step_lists& lists, std::int32_t query) {
    return use_of_step | static_cast<std::uint32_t>(query * (lists.top_k + 1));
  }
  // The slot of the i-th use of a query; none where it is padding, or in staging.
  __device__ std::int32_t slot_used(const step_lists& lists, std::int32_t query, std::int32_t i) const {
    const row_location location = i > lists.top_k            ? no_location
                                  : i > 0                    ? lists.locations[query * lists.top_k + i - 1]
                                  : query < lists.new_tokens ? pool_.header->new_rows[query]
                                                             : no_location;
    const std::int32_t slot = location & ~incoming_flag;
    return location >= 0 && slot < pool_.capacity ? slot : -1;
  }

  __device__ void mark(const step_lists& lists, std::int32_t query) {
    const std::int32_t own = slot_used(lists, query, 0);
    if (threadIdx.x == 0 && own >= 0) pool_.stamp[own] = first_use(lists, query);
    __syncthreads();
    for (std::int32_t i = 1 + static_cast<std::int32_t>(threadIdx.x); i <= lists.top_k;
         i += static_cast<std::int32_t>(blockDim.x)) {
      const std::int32_t slot = slot_used(lists, query, i);
      if (slot >= 0) pool_.stamp[slot] = first_use(lists, query) + static_cast<std::uint32_t>(i);
    }
    __syncthreads();
  }

  // Drops superseded entries, those of the step's rows among them.
  __device__ void squeeze() {
    const std::uint32_t begin = pool_.header->begin;
    const std::uint32_t end = pool_.header->end;
    __syncthreads();  // all have read them, here and in use()
    std::uint32_t to = 0;
    for (std::uint32_t first = begin; first < end; first += blockDim.x) {
      const std::uint32_t entry = first + threadIdx.x;
      const slot_id slot = entry < end ? pool_.order[entry] : slot_id{0};
      const bool keep = entry < end && pool_.stamp[slot] == entry;
      const block_rank_result r = block_rank(keep, counts_);
      if (keep) {
        const std::uint32_t at = to + static_cast<std::uint32_t>(r.rank);
        pool_.order[at] = slot;
        pool_.stamp[slot] = at;
      }
      to += static_cast<std::uint32_t>(r.total);
      __syncthreads();
    }
    if (threadIdx.x == 0) {
      pool_.header->begin = 0;
      pool_.header->end = to;
    }
    __syncthreads();
  }

  __device__ void append(const step_lists& lists) {
    std::uint32_t end = pool_.header->end;
    for (std::int32_t query = 0; query < lists.queries; ++query) {
      for (std::int32_t first = 0; first <= lists.top_k; first += static_cast<std::int32_t>(blockDim.x)) {
        const std::int32_t i = first + static_cast<std::int32_t>(threadIdx.x);
        const std::int32_t slot = slot_used(lists, query, i);
        const bool last =
            slot >= 0 && pool_.stamp[slot] == first_use(lists, query) + static_cast<std::uint32_t>(i);
        const block_rank_result r = block_rank(last, counts_);
        if (last) {
          const std::uint32_t at = end + static_cast<std::uint32_t>(r.rank);
          pool_.order[at] = static_cast<slot_id>(slot);
          pool_.stamp[slot] = at;
        }
        end += static_cast<std::uint32_t>(r.total);
        __syncthreads();
      }
    }
    if (threadIdx.x == 0) pool_.header->end = end;
    __syncthreads();
  }

  const pool_block pool_;
  int* counts_;
};

// CLOCK, as ess_core/cache/policies/clock.h; a stamp is 2 x step, and one more for a row that came in it.
class clock_block {
 public:
  __device__ clock_block(const pool_block& pool, int* counts)
      : pool_(pool), counts_(counts), now_(2 * (pool.header->step + 1)) {
    __syncthreads();
    if (threadIdx.x == 0) ++pool.header->step;
  }

  __device__ void forget(slot_id slot) { pool_.stamp[slot] = 0; }
  __device__ bool touch(slot_id slot) {
    const bool first = pool_.stamp[slot] < now_;
    if (first) pool_.stamp[slot] = now_;
    return first;
  }
  __device__ void admit(slot_id slot) { pool_.stamp[slot] = now_ + 1; }

  // The hand spares a row that was used since it last passed, and passes over rows of the step. It stops
  // behind the last victim.
  template <class Take>
  __device__ void victims(std::int32_t wanted_rows, const Take& take) {
    __syncthreads();
    const auto capacity = static_cast<std::uint32_t>(pool_.capacity);
    std::uint32_t hand = pool_.header->hand;
    __syncthreads();
    for (std::int32_t found = 0, passed = 0; found < wanted_rows;) {
      const auto span =
          static_cast<std::uint32_t>(min(static_cast<std::int32_t>(blockDim.x), pool_.capacity - passed));
      const bool in_turn = threadIdx.x < span;
      const auto slot = static_cast<slot_id>((hand + threadIdx.x) % capacity);
      const std::uint32_t stamp = in_turn ? pool_.stamp[slot] : now_;
      const block_rank_result r = block_rank(in_turn && stamp == 0, counts_);
      const std::int32_t i = found + r.rank;  // victims before this slot
      if (in_turn && stamp == 0 && i < wanted_rows) {
        take(i, slot);
        if (i == wanted_rows - 1) pool_.header->hand = static_cast<slot_id>((slot + 1) % capacity);
      }
      if (in_turn && stamp != 0 && stamp < now_ && i < wanted_rows) pool_.stamp[slot] = 0;
      found += r.total;
      hand = (hand + span) % capacity;
      passed = (passed + static_cast<std::int32_t>(span)) % pool_.capacity;
      __syncthreads();
    }
  }

  __device__ void use(const step_lists&, const pool_block&, std::int32_t) {}
  __device__ void end(std::int32_t) {}

 private:
  const pool_block pool_;
  int* counts_;
  std::uint32_t now_;
};

template <class Policy>
__global__ void __launch_bounds__(resolve_threads) resolve_kernel(resolve_params p) {
  __shared__ step_scratch shared;
  const std::int32_t seat = p.lanes.first_seat + static_cast<std::int32_t>(blockIdx.x);
  const pool_block pool = pool_of(p, p.lanes.seats[seat]);
  const step_lists lists = lists_of(p, seat);
  pool_step_block<Policy> step(pool, lists, shared);
  step.run();
  if (threadIdx.x == 0) report(p, seat, step.asked_, step.missed_);
}

__global__ void __launch_bounds__(resolve_threads) hash_scan_kernel(resolve_params p) {
  __shared__ step_scratch shared;
  const std::int32_t seat = p.lanes.first_seat + static_cast<std::int32_t>(blockIdx.x);
  const pool_block pool = pool_of(p, p.lanes.seats[seat]);
  const step_lists lists = lists_of(p, seat);
  hash_scan_block step(pool, lists, shared, dynamic_shared());
  step.run();
  if (threadIdx.x == 0) report(p, seat, step.asked_, step.missed_);
}

// How many of n ascending ids are smaller; padding at the end is as large as can be.
__device__ std::int32_t smaller_ids(const token_id* ids, std::int32_t n, token_id id) {
  std::int32_t first = 0;
  while (n > 0) {
    const std::int32_t half = n / 2;
    const token_id at = ids[first + half];
    const bool right = at >= 0 && at < id;
    first += right ? half + 1 : 0;
    n = right ? n - half - 1 : half;
  }
  return first;
}

__device__ bool has_id(const token_id* ids, std::int32_t n, token_id id) {
  const std::int32_t at = smaller_ids(ids, n, id);
  return at < n && ids[at] == id;
}

// Without a pool: the union over queries, ascending. The place of a row is the number of smaller ones in it:
// of those that each query is the first to ask for.
__global__ void __launch_bounds__(resolve_threads) stage_all_kernel(resolve_params p) {
  __shared__ int counts[32];
  auto* const firsts =
      reinterpret_cast<std::uint16_t*>(dynamic_shared());  // [queries][top_k + 1], exclusive sums
  const std::int32_t seat = p.lanes.first_seat + static_cast<std::int32_t>(blockIdx.x);
  const step_lists lists = lists_of(p, seat);
  const std::int32_t width = lists.top_k + 1;
  std::int32_t missed = 0;
  for (std::int32_t q = 0; q < lists.queries; ++q) {
    std::int32_t sum = 0;
    for (std::int32_t start = 0; start < width; start += static_cast<std::int32_t>(blockDim.x)) {
      const std::int32_t i = start + static_cast<std::int32_t>(threadIdx.x);
      const token_id id = i < lists.top_k ? lists.selected[q * lists.top_k + i] : -1;
      bool first = id >= 0;
      for (std::int32_t earlier = 0; earlier < q && first; ++earlier)
        first = !has_id(lists.selected + earlier * lists.top_k, lists.top_k, id);
      const block_rank_result r = block_rank(first, counts);
      if (i < width) firsts[q * width + i] = static_cast<std::uint16_t>(sum + r.rank);
      sum += r.total;
    }
    missed += sum;
  }
  __syncthreads();
  for (std::int32_t at = static_cast<std::int32_t>(threadIdx.x); at < lists.queries * lists.top_k;
       at += static_cast<std::int32_t>(blockDim.x)) {
    const token_id id = lists.selected[at];
    std::int32_t place = 0;
    for (std::int32_t q = 0; q < lists.queries && id >= 0; ++q)
      place += firsts[q * width + smaller_ids(lists.selected + q * lists.top_k, lists.top_k, id)];
    lists.locations[at] = id < 0 ? no_location : place | incoming_flag;
    const std::int32_t own = at / lists.top_k * width + at % lists.top_k;
    if (id >= 0 && firsts[own + 1] != firsts[own]) lists.misses[place] = {id, place};
  }
  if (threadIdx.x == 0) report(p, seat, missed, missed);
}

__global__ void reset_kernel(reset_pool_params p) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i == 0) p.pools.headers[p.home] = pool_header{};
  if (i < p.map_tokens) p.pools.slot_of[p.map_base + i] = absent;
  if (p.kind == pool_kind::hash_scan && i < p.slots) {
    p.pools.token_of[p.first_slot + i] = -1;
    p.pools.order[p.first_slot + i] = static_cast<slot_id>(i);
  }
}

}  // namespace

bool can_resolve(pool_kind kind) {
  return kind == pool_kind::none || kind == pool_kind::lru || kind == pool_kind::clock ||
         kind == pool_kind::hash_scan;
}

cudaError_t resolve(const resolve_params& p, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>(p.lanes.seat_count));
  const dim3 block(resolve_threads);
  switch (p.kind) {
    case pool_kind::lru:
      return launch(resolve_kernel<lru_block>, grid, block, 0, stream, p);
    case pool_kind::clock:
      return launch(resolve_kernel<clock_block>, grid, block, 0, stream, p);
    case pool_kind::hash_scan:
      return launch(hash_scan_kernel, grid, block, hash_scan_shared_bytes(p.lanes.queries, p.top_k), stream,
                    p);
    case pool_kind::none: {
      const std::size_t shared =
          static_cast<std::size_t>(p.lanes.queries) * (p.top_k + 1) * sizeof(std::uint16_t);
      return launch(stage_all_kernel, grid, block, shared, stream, p);
    }
    default:
      return cudaErrorNotSupported;
  }
}

cudaError_t reset_pool(const reset_pool_params& p, cudaStream_t stream) {
  constexpr unsigned threads = 256;
  const std::int64_t n = p.map_tokens > p.slots ? p.map_tokens : p.slots;
  const dim3 grid(static_cast<unsigned>((n + threads) / threads));
  return launch(reset_kernel, grid, dim3(threads), 0, stream, p);
}

kernel_work work_of_resolve(pool_kind kind, std::int64_t seats, std::int64_t asked, std::int64_t missed,
                            std::int64_t pool_rows) {
  const auto s = static_cast<double>(seats);
  const auto a = static_cast<double>(asked);
  const auto m = static_cast<double>(missed);
  // Ids in, locations out and in again where they were missing; a miss in the list twice.
  double read = a * 4 + m * 8;
  double written = a * 4 + m * 12;
  if (kind == pool_kind::lru || kind == pool_kind::clock) {
    // The map and the stamp of every id, a victim's token, the log.
    read += a * (2 + 4) + m * (4 + 2 + 4);
    written += a * (4 + 4 + 2) + m * (2 + 2 + 4 + 4);
  } else if (kind == pool_kind::hash_scan) {
    // The LRU array and the token of every slot; the array is written again.
    read += static_cast<double>(pool_rows) * (2 + 4);
    written += static_cast<double>(pool_rows) * 2 + m * 4;
  }
  return {s * read, s * written, 0};
}

}  // namespace ess::ESS_CUDA
