#include "ess_core/device/cuda/kernels/select_topk.h"
#include "ess_core/device/cuda/kernels/sums.h"

namespace ess::ESS_CUDA {
namespace {

// Radix select on keys that are ordered as the scores: 11, 11 and 10 bits, from the top, of the k-th largest
// key. Each time the keys that share the bits known so far are counted by their next digit. At last the keys
// above the k-th largest, and the first ones that equal it, are written in the order of their ids.
constexpr int levels = 3;
constexpr int bins = 2048;
constexpr int keys_per_thread = 16;
constexpr int small_threads = 1024;
constexpr int chunk_threads = 256;
constexpr int most_small_keys = small_threads * keys_per_thread;
constexpr int chunk_keys = chunk_threads * keys_per_thread;

struct threshold {
  std::uint32_t key;   // upper bits of the k-th largest key, zeros below
  std::uint32_t left;  // how many of the keys that share these bits belong to the k largest
};
struct above_and_equal {
  std::uint32_t above, equal;
};

// Of a lane, in global memory.
struct topk_scratch {
  std::uint32_t counts[bins];  // zero between launches
  std::uint32_t blocks_done;   // zero between launches
  std::uint32_t unused;
  threshold found;
};
static_assert(sizeof(topk_scratch) % 16 == 0);

struct topk_launch {
  select_topk_params p;
  int level;
  std::size_t scratch_pitch;

  [[nodiscard]] __device__ std::int32_t lane() const { return p.lanes.first_lane() + blockIdx.y; }
  [[nodiscard]] __device__ std::int32_t keys() const { return p.lanes.position_of(lane()) + 1; }
  [[nodiscard]] __device__ topk_scratch& scratch() const {
    return *reinterpret_cast<topk_scratch*>(p.scratch + lane() * scratch_pitch);
  }
  [[nodiscard]] __device__ above_and_equal* of_chunks() const {
    return reinterpret_cast<above_and_equal*>(&scratch() + 1);
  }
  [[nodiscard]] __device__ std::uint32_t wanted() const {
    return static_cast<std::uint32_t>(min(p.k, keys()));
  }
};

template <int THREADS>
struct shared_counts {
  std::uint32_t counts[bins];
  above_and_equal of_warps[THREADS / 32];
  threshold found;
  bool is_last;
};

// Larger score, larger key; -0 as +0, NaN as -inf. No key is 0.
__device__ std::uint32_t key_of(float score) {
  std::uint32_t bits = __float_as_uint(score);
  if ((bits & 0x7fffffffu) > 0x7f800000u) bits = 0xff800000u;
  if (bits == 0x80000000u) bits = 0;
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// Key j of a thread is 32 j behind its first one: a warp has 512 in a row. 0 where there is no score.
struct thread_keys {
  std::uint32_t key[keys_per_thread];
  std::int32_t first;

  __device__ void load(const topk_launch& l, std::int32_t first_of_block) {
    const std::int32_t n = l.keys();
    const float* scores = l.p.scores + l.lane() * l.p.max_context;
    first = first_of_block + threadIdx.x / 32 * (32 * keys_per_thread) + threadIdx.x % 32;
#pragma unroll
    for (int j = 0; j < keys_per_thread; ++j) {
      const std::int32_t id = first + 32 * j;
      key[j] = id < n ? key_of(scores[id]) : 0;
    }
  }
};

__device__ int digit_shift(int level) { return level == 0 ? 21 : level == 1 ? 10 : 0; }

template <int THREADS>
__device__ void count_digits(const thread_keys& keys, int level, std::uint32_t known,
                             shared_counts<THREADS>& s) {
  for (int i = threadIdx.x; i < bins; i += THREADS) s.counts[i] = 0;
  __syncthreads();
  const int shift = digit_shift(level), known_shift = level == 0 ? 0 : digit_shift(level - 1);
  const std::uint32_t mask = level == 2 ? 0x3ff : 0x7ff;
#pragma unroll
  for (int j = 0; j < keys_per_thread; ++j) {
    const std::uint32_t key = keys.key[j];
    const bool counts = level == 0 ? key != 0 : key >> known_shift == known >> known_shift;
    if (counts) atomicAdd(&s.counts[key >> shift & mask], 1u);
  }
  __syncthreads();
}

__device__ std::uint32_t scan_warp(std::uint32_t x) {
  for (int apart = 1; apart < 32; apart *= 2) {
    const std::uint32_t before = __shfl_up_sync(whole_warp, x, apart);
    if (threadIdx.x % 32 >= static_cast<unsigned>(apart)) x += before;
  }
  return x;
}

// The digit of the t.left-th largest of the counted keys, into s.found. Thread i has the i-th few bins from
// the top.
template <int THREADS>
__device__ void find_digit(int level, threshold t, shared_counts<THREADS>& s) {
  constexpr int bins_each = bins / THREADS;
  const int top = bins - 1 - threadIdx.x * bins_each;
  std::uint32_t own = 0;
  for (int i = 0; i < bins_each; ++i) own += s.counts[top - i];
  const std::uint32_t through = scan_warp(own);
  if (threadIdx.x % 32 == 31) s.of_warps[threadIdx.x / 32].above = through;
  __syncthreads();
  std::uint32_t above = through - own;
  for (unsigned w = 0; w < threadIdx.x / 32; ++w) above += s.of_warps[w].above;
  if (above < t.left && t.left <= above + own) {
    int bin = top;
    for (; above + s.counts[bin] < t.left; --bin) above += s.counts[bin];
    s.found = {t.key | static_cast<std::uint32_t>(bin) << digit_shift(level), t.left - above};
  }
  __syncthreads();
}

__device__ std::uint32_t count_set(std::uint32_t mask) { return static_cast<std::uint32_t>(__popc(mask)); }

// Keys of the thread's warp above and equal to the threshold.
__device__ above_and_equal count_warp(const thread_keys& keys, std::uint32_t limit) {
  above_and_equal n{0, 0};
#pragma unroll
  for (int j = 0; j < keys_per_thread; ++j) {
    n.above += count_set(__ballot_sync(whole_warp, keys.key[j] > limit));
    n.equal += count_set(__ballot_sync(whole_warp, keys.key[j] == limit));
  }
  return n;
}

// `before`: keys of all blocks before this one.
template <int THREADS>
__device__ void write_ids(const thread_keys& keys, threshold t, above_and_equal before, std::int32_t* ids,
                          shared_counts<THREADS>& s) {
  const above_and_equal own = count_warp(keys, t.key);
  if (threadIdx.x % 32 == 0) s.of_warps[threadIdx.x / 32] = own;
  __syncthreads();
  for (unsigned w = 0; w < threadIdx.x / 32; ++w) {
    before.above += s.of_warps[w].above;
    before.equal += s.of_warps[w].equal;
  }
  const std::uint32_t earlier = (1u << threadIdx.x % 32) - 1;
#pragma unroll
  for (int j = 0; j < keys_per_thread; ++j) {
    const std::uint32_t key = keys.key[j];
    const std::uint32_t above = __ballot_sync(whole_warp, key > t.key);
    const std::uint32_t equal = __ballot_sync(whole_warp, key == t.key);
    const std::uint32_t ties = before.equal + count_set(equal & earlier);
    const std::uint32_t place = before.above + count_set(above & earlier) + min(ties, t.left);
    if (key > t.key || (key == t.key && ties < t.left)) ids[place] = keys.first + 32 * j;
    before.above += count_set(above);
    before.equal += count_set(equal);
  }
}

template <int THREADS>
__device__ void pad(const topk_launch& l, std::int32_t* ids) {
  for (std::int32_t i = l.keys() + threadIdx.x; i < l.p.k; i += THREADS) ids[i] = -1;
}

// Blocks: [1][lanes].
__global__ void __launch_bounds__(small_threads) small_topk_kernel(topk_launch l) {
  __shared__ shared_counts<small_threads> s;
  thread_keys keys;
  keys.load(l, 0);
  threshold t{0, l.wanted()};
#pragma unroll
  for (int level = 0; level < levels; ++level) {
    count_digits(keys, level, t.key, s);
    find_digit(level, t, s);
    t = s.found;
  }
  std::int32_t* ids = l.p.ids + std::int64_t{l.lane()} * l.p.k;
  write_ids(keys, t, {0, 0}, ids, s);
  pad<small_threads>(l, ids);
}

// Adds the block's counts to the lane's. True for the last block to do so: it then has those of all, and the
// lane's are zero again.
__device__ bool gather_counts(const topk_launch& l, shared_counts<chunk_threads>& s) {
  topk_scratch& of_lane = l.scratch();
  for (int i = threadIdx.x; i < bins; i += chunk_threads) {
    if (s.counts[i] != 0) atomicAdd(&of_lane.counts[i], s.counts[i]);
  }
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    const auto blocks = static_cast<std::uint32_t>((l.keys() + chunk_keys - 1) / chunk_keys);
    s.is_last = atomicAdd(&of_lane.blocks_done, 1u) == blocks - 1;
  }
  __syncthreads();
  if (!s.is_last) return false;
  __threadfence();
  for (int i = threadIdx.x; i < bins; i += chunk_threads) {
    s.counts[i] = __ldcg(&of_lane.counts[i]);
    of_lane.counts[i] = 0;
  }
  if (threadIdx.x == 0) of_lane.blocks_done = 0;
  __syncthreads();
  return true;
}

// The kernels of long contexts have blocks: [chunks][lanes].
__global__ void __launch_bounds__(chunk_threads) find_digit_kernel(topk_launch l) {
  __shared__ shared_counts<chunk_threads> s;
  const std::int32_t first = blockIdx.x * chunk_keys;
  if (first >= l.keys()) return;
  thread_keys keys;
  keys.load(l, first);
  const threshold t = l.level == 0 ? threshold{0, l.wanted()} : l.scratch().found;
  count_digits(keys, l.level, t.key, s);
  if (!gather_counts(l, s)) return;
  find_digit(l.level, t, s);
  if (threadIdx.x == 0) l.scratch().found = s.found;
}

__global__ void __launch_bounds__(chunk_threads) count_chunks_kernel(topk_launch l) {
  __shared__ above_and_equal of_warps[chunk_threads / 32];
  const std::int32_t first = blockIdx.x * chunk_keys;
  if (first >= l.keys()) return;
  thread_keys keys;
  keys.load(l, first);
  const above_and_equal own = count_warp(keys, l.scratch().found.key);
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = own;
  __syncthreads();
  if (threadIdx.x != 0) return;
  above_and_equal sum{0, 0};
  for (const above_and_equal& n : of_warps) sum = {sum.above + n.above, sum.equal + n.equal};
  l.of_chunks()[blockIdx.x] = sum;
}

// Keys of the chunks before the block's own.
__device__ above_and_equal count_before(const topk_launch& l, shared_counts<chunk_threads>& s) {
  above_and_equal n{0, 0};
  for (unsigned i = threadIdx.x; i < blockIdx.x; i += chunk_threads) {
    const above_and_equal chunk = l.of_chunks()[i];
    n = {n.above + chunk.above, n.equal + chunk.equal};
  }
  n = {__reduce_add_sync(whole_warp, n.above), __reduce_add_sync(whole_warp, n.equal)};
  if (threadIdx.x % 32 == 0) s.of_warps[threadIdx.x / 32] = n;
  __syncthreads();
  above_and_equal sum{0, 0};
  for (const above_and_equal& of_warp : s.of_warps) {
    sum = {sum.above + of_warp.above, sum.equal + of_warp.equal};
  }
  __syncthreads();
  return sum;
}

__global__ void __launch_bounds__(chunk_threads, 2) write_ids_kernel(topk_launch l) {
  __shared__ shared_counts<chunk_threads> s;
  const std::int32_t first = blockIdx.x * chunk_keys;
  if (first >= l.keys()) return;
  thread_keys keys;
  keys.load(l, first);
  const above_and_equal before = count_before(l, s);
  std::int32_t* ids = l.p.ids + std::int64_t{l.lane()} * l.p.k;
  write_ids(keys, l.scratch().found, before, ids, s);
  if (blockIdx.x == 0) pad<chunk_threads>(l, ids);
}

std::int64_t chunks_of(std::int64_t keys) { return (keys + chunk_keys - 1) / chunk_keys; }

std::size_t scratch_pitch(std::int64_t max_context) {
  const auto chunks = static_cast<std::size_t>(chunks_of(max_context));
  return sizeof(topk_scratch) + (chunks + chunks % 2) * sizeof(above_and_equal);
}

}  // namespace

std::size_t select_topk_scratch_bytes(std::int64_t lanes, std::int64_t max_context) {
  return static_cast<std::size_t>(lanes) * scratch_pitch(max_context);
}

cudaError_t select_topk(const select_topk_params& p, cudaStream_t stream) {
  topk_launch l{p, 0, scratch_pitch(p.max_context)};
  dim3 grid(1, static_cast<unsigned>(p.lanes.lane_count()));
  if (p.max_keys <= most_small_keys) {
    return launch(small_topk_kernel, grid, dim3(small_threads), 0, stream, l);
  }
  grid.x = static_cast<unsigned>(chunks_of(p.max_keys));
  for (; l.level < levels; ++l.level) {
    if (const cudaError_t e = launch(find_digit_kernel, grid, dim3(chunk_threads), 0, stream, l)) return e;
  }
  if (const cudaError_t e = launch(count_chunks_kernel, grid, dim3(chunk_threads), 0, stream, l)) return e;
  return launch(write_ids_kernel, grid, dim3(chunk_threads), 0, stream, l);
}

}  // namespace ess::ESS_CUDA
