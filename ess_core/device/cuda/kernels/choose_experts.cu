#include "ess_core/device/cuda/kernels/choose_experts.h"
#include "ess_core/device/cuda/kernels/sums.h"

namespace ess::ESS_CUDA {
namespace {

constexpr int group_warps = 32;
constexpr int row_threads = 256;

__device__ double lowest() { return -__longlong_as_double(0x7ff0000000000000ll); }

// An expert or a group; larger values, then smaller numbers, come first.
struct ranked {
  double value;
  std::int32_t number;
};
__device__ bool comes_before(const ranked& a, const ranked& b) {
  return a.value > b.value || (a.value == b.value && a.number < b.number);
}

// The first of all that come after `last`, given each thread's `own` numbers: thread, thread + 32, ...
__device__ ranked next_after(const ranked& last, const double* values, int n) {
  ranked best{lowest(), 0x7fffffff};
  for (int i = threadIdx.x; i < n; i += 32) {
    const ranked own{values[i], i};
    if (comes_before(last, own) && comes_before(own, best)) best = own;
  }
  for (int apart = 16; apart > 0; apart /= 2) {
    const ranked other{__shfl_xor_sync(whole_warp, best.value, apart),
                       __shfl_xor_sync(whole_warp, best.number, apart)};
    if (comes_before(other, best)) best = other;
  }
  return best;
}

// Ranked before everything.
__device__ ranked none() { return {-lowest(), -1}; }

__device__ double sum_of_two_best(const double* values, int n) {
  double best = values[0];
  double second = lowest();
  for (int i = 1; i < n; ++i) {
    second = fmax(second, fmin(best, values[i]));
    best = fmax(best, values[i]);
  }
  return n > 1 ? best + second : best;
}

// Shared memory of a lane's warp.
struct choice_memory {
  double* biased;         // [experts]
  double* of_group;       // [groups]
  std::int32_t* numbers;  // [top_k], in the order they were chosen
};

__device__ void add_bias(const choose_experts_params& p, float* scores, double* biased) {
  for (int e = threadIdx.x; e < p.experts; e += 32) {
    const auto score = static_cast<float>(1.0 / (1.0 + exp(-static_cast<double>(scores[e]))));
    scores[e] = score;
    const double sum = static_cast<double>(score) + static_cast<double>(p.bias[e]);
    biased[e] = sum == sum ? sum : lowest();
  }
  __syncwarp();
}

// Sinks the experts of all groups but the best.
__device__ void drop_groups(const choose_experts_params& p, const choice_memory& m) {
  const int size = p.experts / p.groups;
  for (int g = threadIdx.x; g < p.groups; g += 32) m.of_group[g] = sum_of_two_best(m.biased + g * size, size);
  __syncwarp();
  ranked last_kept = none();
  for (int i = 0; i < p.top_groups; ++i) last_kept = next_after(last_kept, m.of_group, p.groups);
  for (int e = threadIdx.x; e < p.groups * size; e += 32) {
    if (comes_before(last_kept, {m.of_group[e / size], e / size})) m.biased[e] = lowest();
  }
  __syncwarp();
}

__device__ void choose(const choose_experts_params& p, const choice_memory& m) {
  ranked last = none();
  for (int i = 0; i < p.top_k; ++i) {
    last = next_after(last, m.biased, p.experts);
    if (threadIdx.x == 0) m.numbers[i] = last.number;
  }
  __syncwarp();
}

// Sorted by id; weights in proportion to the scores without bias.
__device__ void write_choice(const choose_experts_params& p, const float* scores, const choice_memory& m,
                             expert_choice* choice) {
  std::int32_t* sorted = reinterpret_cast<std::int32_t*>(m.biased);
  for (int i = threadIdx.x; i < p.top_k; i += 32) {
    int place = 0;
    for (int j = 0; j < p.top_k; ++j) place += m.numbers[j] < m.numbers[i] ? 1 : 0;
    sorted[place] = m.numbers[i];
  }
  __syncwarp();
  double sum = 0;
  for (int i = 0; i < p.top_k; ++i) sum += static_cast<double>(scores[sorted[i]]);
  for (int i = threadIdx.x; i < p.top_k; i += 32) {
    const double weight = static_cast<double>(scores[sorted[i]]) / sum * p.routed_scale;
    choice[i].expert = sorted[i];
    choice[i].weight = static_cast<float>(weight);
  }
}

// A warp, which is a block, for each lane.
__global__ void __launch_bounds__(32) choose_experts_kernel(choose_experts_params p) {
  const std::int64_t lane = p.lanes.first_lane() + blockIdx.x;
  auto* biased = reinterpret_cast<double*>(dynamic_shared());
  const choice_memory m{biased, biased + p.experts,
                        reinterpret_cast<std::int32_t*>(biased + p.experts + p.groups)};
  float* scores = p.scores + lane * p.experts;
  add_bias(p, scores, m.biased);
  drop_groups(p, m);
  choose(p, m);
  write_choice(p, scores, m, p.choice + lane * p.top_k);
}

// Counts of a warp's lanes by expert, in shared memory: [warps][experts + 1].
struct group_memory {
  std::int32_t* counts;
  int pitch;

  [[nodiscard]] __device__ std::int32_t& at(int warp, int expert) const {
    return counts[warp * pitch + expert];
  }
};

struct lane_range {
  int first, end;
};
// Each warp has some lanes of the slice in a row.
__device__ lane_range lanes_of_warp(int lanes) {
  const int each = (lanes + group_warps - 1) / group_warps;
  const int first = threadIdx.x / 32 * each;
  return {min(first, lanes), min(first + each, lanes)};
}

__device__ void count_by_warp(const group_by_expert_params& p, const group_memory& m, lane_range lanes) {
  for (int i = threadIdx.x; i < group_warps * m.pitch; i += 32 * group_warps) m.counts[i] = 0;
  __syncthreads();
  const expert_choice* choice = p.choice + std::int64_t{p.lanes.first_lane()} * p.top_k;
  for (int i = lanes.first * p.top_k + threadIdx.x % 32; i < lanes.end * p.top_k; i += 32) {
    atomicAdd(&m.at(threadIdx.x / 32, choice[i].expert), 1);
  }
  if (p.shared && threadIdx.x % 32 == 0) m.at(threadIdx.x / 32, p.experts) = lanes.end - lanes.first;
  __syncthreads();
}

// Of each expert: warps' counts become counts of the warps before; returns the sum.
__device__ std::int32_t count_before_warps(const group_memory& m, int expert) {
  std::int32_t sum = 0;
  for (int warp = 0; warp < group_warps; ++warp) {
    const std::int32_t own = m.at(warp, expert);
    m.at(warp, expert) = sum;
    sum += own;
  }
  return sum;
}

// By the first warp: first rows from the numbers of rows, in place; starts[experts + 1] becomes the end.
__device__ void scan_starts(std::int32_t* starts, int experts, std::int32_t first) {
  for (int base = 0; base <= experts; base += 32) {
    const int e = base + static_cast<int>(threadIdx.x);
    const std::int32_t own = e <= experts ? starts[e] : 0;
    std::int32_t through = own;
    for (int apart = 1; apart < 32; apart *= 2) {
      const std::int32_t before = __shfl_up_sync(whole_warp, through, apart);
      if (static_cast<int>(threadIdx.x) >= apart) through += before;
    }
    if (e <= experts) starts[e] = first + through - own;
    first += __shfl_sync(whole_warp, through, 31);
  }
  if (threadIdx.x == 0) starts[experts + 1] = first;
}

// Lane after lane, as each takes the next row of its experts; the experts of one lane differ.
__device__ void give_rows(const group_by_expert_params& p, const group_memory& m, lane_range lanes) {
  const int copies = p.top_k + (p.shared ? 1 : 0), warp = threadIdx.x / 32;
  for (int i = lanes.first; i < lanes.end; ++i) {
    const std::int64_t lane = p.lanes.first_lane() + i;
    for (int k = threadIdx.x % 32; k < copies; k += 32) {
      const int expert = k < p.top_k ? p.choice[lane * p.top_k + k].expert : p.experts;
      p.rows[lane * copies + k] = p.starts[expert] + m.at(warp, expert)++;
    }
    __syncwarp();
  }
}

__global__ void __launch_bounds__(32 * group_warps) group_by_expert_kernel(group_by_expert_params p) {
  const group_memory m{reinterpret_cast<std::int32_t*>(dynamic_shared()), p.experts + 1};
  const lane_range lanes = lanes_of_warp(p.lanes.lane_count());
  count_by_warp(p, m, lanes);
  for (int e = threadIdx.x; e <= p.experts; e += 32 * group_warps) p.starts[e] = count_before_warps(m, e);
  __syncthreads();
  const int copies = p.top_k + (p.shared ? 1 : 0);
  if (threadIdx.x < 32) scan_starts(p.starts, p.experts, p.lanes.first_lane() * copies);
  __syncthreads();
  give_rows(p, m, lanes);
}

__device__ const float4& four_at(const float* row, int i) { return reinterpret_cast<const float4*>(row)[i]; }
__device__ float4& four_at(float* row, int i) { return reinterpret_cast<float4*>(row)[i]; }

// Blocks: [lanes][parts of a row].
__global__ void __launch_bounds__(row_threads) scatter_kernel(scatter_to_experts_params p) {
  const int i = blockIdx.y * row_threads + threadIdx.x;
  if (i >= p.hidden / 4) return;
  const std::int32_t* rows = p.rows + (std::int64_t{p.lanes.first_lane()} + blockIdx.x) * p.copies;
  const float4 v = four_at(p.x + blockIdx.x * p.x_pitch, i);
  for (int copy = 0; copy < p.copies; ++copy) {
    four_at(p.expert_input + std::int64_t{rows[copy]} * p.hidden, i) = v;
  }
}

__device__ void add_scaled(float4& sum, const float4& x, float factor) {
  sum.x = fmaf(x.x, factor, sum.x);
  sum.y = fmaf(x.y, factor, sum.y);
  sum.z = fmaf(x.z, factor, sum.z);
  sum.w = fmaf(x.w, factor, sum.w);
}

// Blocks: [lanes][parts of a row].
__global__ void __launch_bounds__(row_threads) combine_kernel(combine_experts_params p) {
  const int i = blockIdx.y * row_threads + threadIdx.x;
  if (i >= p.hidden / 4) return;
  const std::int64_t lane = p.lanes.first_lane() + blockIdx.x;
  const int copies = p.top_k + (p.shared ? 1 : 0);
  const expert_choice* choice = p.choice + lane * p.top_k;
  const std::int32_t* rows = p.rows + lane * copies;
  float4 sum{0, 0, 0, 0};
#pragma unroll 4
  for (int copy = 0; copy < copies; ++copy) {
    const float4 x = four_at(p.expert_output + std::int64_t{rows[copy]} * p.hidden, i);
    add_scaled(sum, x, copy < p.top_k ? choice[copy].weight : 1.0f);
  }
  float4& y = four_at(p.y + lane * p.hidden, i);
  y = {y.x + sum.x, y.y + sum.y, y.z + sum.z, y.w + sum.w};
}

dim3 grid_of(const lane_slice& lanes, int hidden) {
  return {static_cast<unsigned>(lanes.lane_count()),
          static_cast<unsigned>((hidden / 4 + row_threads - 1) / row_threads)};
}

}  // namespace

cudaError_t choose_experts(const choose_experts_params& p, cudaStream_t stream) {
  const std::size_t shared = static_cast<std::size_t>(p.experts + p.groups) * sizeof(double) +
                             static_cast<std::size_t>(p.top_k) * sizeof(std::int32_t);
  return launch(choose_experts_kernel, dim3(static_cast<unsigned>(p.lanes.lane_count())), dim3(32), shared,
                stream, p);
}

cudaError_t group_by_expert(const group_by_expert_params& p, cudaStream_t stream) {
  const std::size_t shared = group_warps * static_cast<std::size_t>(p.experts + 1) * sizeof(std::int32_t);
  return launch(group_by_expert_kernel, dim3(1), dim3(32 * group_warps), shared, stream, p);
}

cudaError_t scatter_to_experts(const scatter_to_experts_params& p, cudaStream_t stream) {
  return launch(scatter_kernel, grid_of(p.lanes, p.hidden), dim3(row_threads), 0, stream, p);
}

cudaError_t combine_experts(const combine_experts_params& p, cudaStream_t stream) {
  return launch(combine_kernel, grid_of(p.lanes, p.hidden), dim3(row_threads), 0, stream, p);
}

}  // namespace ess::ESS_CUDA
