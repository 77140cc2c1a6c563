#include "ess_core/device/cuda/kernel.h"
#include "ess_core/device/cuda/kernels/linear.h"

namespace ess::ESS_CUDA {
namespace {

constexpr int block_threads = 256;
constexpr int block_warps = block_threads / 32;
constexpr int fold_tiles = 32;  // k tiles after which a warp's sums leave the tensor cores, which truncate

// How a product is divided. Column warps of a block work on different groups of 32 columns, its k warps on
// different segments of k; `splits` blocks share the columns. Only `row_tiles` and `passes` depend on m.
struct linear_plan {
  int column_warps;
  int k_warps;
  int column_blocks;
  int splits;
  int segment;    // k tiles of 16 a warp, even
  int row_tiles;  // of 8 rows a pass: 1, 2, 4, 8
  int passes;
};

struct linear_launch {
  linear_params p;
  linear_plan plan;
};

int divided(int a, int b) { return (a + b - 1) / b; }

constexpr int wanted_blocks = 264;  // two on each of 132 multiprocessors
constexpr int enough_blocks = 160;
constexpr int max_splits = 16;
constexpr int segment_at_least = 4;  // k tiles

linear_plan plan_of(const linear_params& p) {
  linear_plan l{};
  const int k_tiles = linear_padded(p.k) / 16;
  l.column_warps = p.n >= 1024 ? 4 : 2;
  l.k_warps = block_warps / l.column_warps;
  l.column_blocks = divided(p.n, linear_group * l.column_warps);
  const int by_size = k_tiles / (l.k_warps * segment_at_least);
  const int by_blocks = wanted_blocks / (l.column_blocks * p.batch);
  l.splits = by_size < by_blocks ? by_size : by_blocks;
  l.splits = l.splits < 1 ? 1 : l.splits > max_splits ? max_splits : l.splits;
  l.segment = 2 * divided(k_tiles / 2, l.splits * l.k_warps);
  const int most = l.k_warps == 4 ? 4 : 8;  // what two blocks of a multiprocessor have shared memory for
  for (l.row_tiles = 1; l.row_tiles < most && 8 * l.row_tiles < p.m;) l.row_tiles *= 2;
  const int blocks = l.column_blocks * l.splits * p.batch;
  if (p.row_tiles > 0) l.row_tiles = p.row_tiles < most ? p.row_tiles : most;
  while (p.row_tiles == 0 && l.row_tiles > 1 && blocks * divided(p.m, 8 * l.row_tiles) < enough_blocks)
    l.row_tiles /= 2;
  l.passes = divided(p.m, 8 * l.row_tiles);
  return l;
}

// What a thread is, and what its block works on.
struct linear_place {
  int lane, warp, column_warp, k_warp;
  int pass, column_block, split, product;
};

__device__ linear_place place_of(const linear_plan& l) {
  linear_place at;
  at.lane = threadIdx.x % 32;
  at.warp = threadIdx.x / 32;
  at.column_warp = at.warp % l.column_warps;
  at.k_warp = at.warp / l.column_warps;
  at.pass = blockIdx.x;
  at.column_block = blockIdx.y / l.splits;
  at.split = blockIdx.y % l.splits;
  at.product = blockIdx.z;
  return at;
}

// Rows of a pass.
struct linear_rows {
  const float* x;
  float* y;
  int count;  // none: <= 0
};

__device__ linear_rows rows_of(const linear_launch& a, const linear_place& at, int rows_a_pass) {
  const linear_params& p = a.p;
  const std::int64_t in_product = std::int64_t{at.pass} * rows_a_pass;
  std::int64_t row = in_product;
  int count = p.m - at.pass * rows_a_pass;
  std::int64_t x = at.product * p.x_stride, y = at.product * p.y_stride;
  if (p.starts != nullptr) {
    const std::int32_t start = p.starts[at.product];
    count = p.starts[at.product + 1] - start - at.pass * rows_a_pass;
    row += start;
    x = y = 0;
  }
  return {p.x + x + row * p.ldx, p.y + y + row * p.ldy, count < rows_a_pass ? count : rows_a_pass};
}

template <weight_format FORMAT, int ROW_TILES>
struct linear_sizes {
  static constexpr int step_tiles = FORMAT == weight_format::bf16 ? 1 : 2;  // k tiles in 16 bytes a lane
  static constexpr int chunk = ROW_TILES == 8   ? 2
                               : ROW_TILES == 4 ? 4
                                                : 4 * step_tiles;  // k tiles of x at a time
  static constexpr int phases = chunk == step_tiles ? 2 : 1;  // chunks of which a warp has the weights ahead
  static constexpr int together = ROW_TILES < 2 ? 1 : 2;      // row tiles that are multiplied in turns
  static constexpr int steps = chunk / step_tiles;
  static constexpr int rows = ROW_TILES * 8;
  // Of shared memory: two chunks of x, [k warps][chunk][row tiles][32 lanes], and the warps' sums.
  __host__ __device__ static constexpr int chunk_vectors(int k_warps) {
    return k_warps * chunk * ROW_TILES * 32;
  }
  __host__ __device__ static constexpr int sums_at(int k_warps) { return 2 * chunk_vectors(k_warps); }
  static constexpr int sum_vectors = ROW_TILES * 2 * block_threads;
};

// A chunk of x in shared memory, in the order of mma's B fragments, 16 bytes a lane: four floats that become
// the high and the low terms of two registers. Each thread converts what it fetched itself.
template <int CHUNK, int ROW_TILES, int TOGETHER>
struct x_chunks {
  const linear_launch& a;
  const linear_place& at;
  const linear_rows& rows;
  bool aligned;

  // f(where in the chunk, row, k tile) for each of the thread's pieces.
  template <class F>
  __device__ void for_each_piece(int chunk, F f) const {
    const int fragments = a.plan.k_warps * CHUNK * ROW_TILES;
    for (int i = at.warp; i < fragments; i += block_warps) {
      const int row_tile = i % ROW_TILES, k_warp = i / (CHUNK * ROW_TILES);
      if (row_tile / TOGETHER * TOGETHER * 8 >= rows.count) continue;
      const int in_segment = chunk * CHUNK + i / ROW_TILES % CHUNK;
      const int tile = (at.split * a.plan.k_warps + k_warp) * a.plan.segment + in_segment;
      f(i * 32 + at.lane, row_tile * 8 + at.lane / 4, in_segment < a.plan.segment ? tile : a.p.k);
    }
  }
  __device__ void fetch(int chunk, uint4* to) const {
    for_each_piece(chunk, [&](int piece, int row, int tile) {
      const std::int64_t k = std::int64_t{tile} * 16 + at.lane % 4 * 4;
      const float* from = rows.x + row * a.p.ldx + k;
      if (row < rows.count && k + 4 <= a.p.k && aligned) {
        copy_async_16(to + piece, from);
      } else {
        const int left = row < rows.count ? static_cast<int>(a.p.k - k < 4 ? a.p.k - k : 4) : 0;
        to[piece] = {left > 0 ? __float_as_uint(from[0]) : 0, left > 1 ? __float_as_uint(from[1]) : 0,
                     left > 2 ? __float_as_uint(from[2]) : 0, left > 3 ? __float_as_uint(from[3]) : 0};
      }
    });
    copy_commit();
  }
  __device__ void convert(int chunk, uint4* x) const {
    for_each_piece(chunk, [&](int piece, int, int) {
      const uint4 v = x[piece];
      const bf16_pairs first = split_pair(__uint_as_float(v.x), __uint_as_float(v.y));
      const bf16_pairs second = split_pair(__uint_as_float(v.z), __uint_as_float(v.w));
      x[piece] = {first.high, second.high, first.low, second.low};
    });
  }
};

__device__ void to_fragments(const uint4& w, std::uint32_t (&a)[1][4]) {
  a[0][0] = w.x, a[0][1] = w.y, a[0][2] = w.z, a[0][3] = w.w;
}
__device__ void to_fragments(const uint4& w, std::uint32_t (&a)[2][4]) {
  const std::uint32_t words[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const bf16_of_codes pair = e4m3_to_bf16(words[i]);
    a[i / 2][i % 2 * 2] = pair.even;
    a[i / 2][i % 2 * 2 + 1] = pair.odd;
  }
}

// What a warp multiplies and sums: 32 columns, the steps of its segment.
template <weight_format FORMAT, int TERMS, int ROW_TILES>
struct warp_product {
  using sizes = linear_sizes<FORMAT, ROW_TILES>;
  static constexpr int steps = sizes::steps, step_tiles = sizes::step_tiles, together = sizes::together;

  const uint4* weights;  // of this lane; the two tiles of a step are 32 vectors apart
  int step, end;         // next to be multiplied, of all
  int live_tiles;        // of rows
  uint4 ahead[sizes::phases * steps][2];
  float sum[ROW_TILES][2][4];

  __device__ void clear() {
#pragma unroll
    for (int r = 0; r < ROW_TILES; ++r)
#pragma unroll
      for (int i = 0; i < 8; ++i) sum[r][i / 4][i % 4] = 0;
  }
  __device__ void load(int slot, int of_step) {
    if (of_step >= end) return;
    ahead[slot][0] = load_once(weights + of_step * 64);
    ahead[slot][1] = load_once(weights + of_step * 64 + 32);
  }
  __device__ void load_first() {
#pragma unroll
    for (int s = 0; s < sizes::phases * steps; ++s) load(s, step + s);
  }
  __device__ void multiply(const std::uint32_t (&a0)[4], const std::uint32_t (&a1)[4], const uint4* x) {
#pragma unroll
    for (int r = 0; r < ROW_TILES; r += together) {
      if (r >= live_tiles) break;
      uint4 v[together];
#pragma unroll
      for (int i = 0; i < together; ++i) v[i] = x[(r + i) * 32];
#pragma unroll
      for (int i = 0; i < together * TERMS; ++i) {
        const uint4& of = v[i % together];
        const std::uint32_t b[2] = {i < together ? of.x : of.z, i < together ? of.y : of.w};
        mma_bf16(sum[r + i % together][0], a0, b);
        mma_bf16(sum[r + i % together][1], a1, b);
      }
    }
  }
  // x: this lane's part of the warp's chunk; phase: which of those ahead it is.
  __device__ void multiply_chunk(const uint4* x, int phase) {
#pragma unroll
    for (int s = 0; s < steps; ++s) {
      if (step + s < end) {
        std::uint32_t a0[step_tiles][4], a1[step_tiles][4];
        to_fragments(ahead[phase * steps + s][0], a0);
        to_fragments(ahead[phase * steps + s][1], a1);
#pragma unroll
        for (int t = 0; t < step_tiles; ++t)
          multiply(a0[t], a1[t], x + (s * step_tiles + t) * ROW_TILES * 32);
        load(phase * steps + s, step + s + sizes::phases * steps);
      }
    }
    step += steps;
  }
  // Adds to the thread's own place in shared memory.
  __device__ void fold(float4* sums, bool first) {
#pragma unroll
    for (int i = 0; i < ROW_TILES * 2; ++i) {
      if (i / 2 >= live_tiles) break;
      float4& to = sums[i * block_threads + threadIdx.x];
      float(&d)[4] = sum[i / 2][i % 2];
      const float4 before = first ? float4{0, 0, 0, 0} : to;
      to = {before.x + d[0], before.y + d[1], before.z + d[2], before.w + d[3]};
    }
    clear();
  }
};

// Four sums of a thread of the block's first k warp. slot = row tile x 2 + tile of columns.
struct sums_place {
  int slot, thread;
};

__device__ void write_element(const linear_params& p, float* y, int column, float value) {
  if (column >= p.n) return;
  y[column] = p.output == linear_output::add ? y[column] + value : value;
}

__device__ void write_sums(const linear_launch& a, const linear_place& at, const linear_rows& rows,
                           sums_place s, const float4& sum) {
  const float scale = a.p.scales != nullptr ? a.p.scales[at.product] : a.p.scale;
  const int group = at.column_block * a.plan.column_warps + s.thread / 32;
  const int column = group * linear_group + s.slot % 2 * 16 + s.thread % 32 / 4;
  const int row = s.slot / 2 * 8 + s.thread % 4 * 2;
  float* y = rows.y + row * a.p.ldy;
  if (row < rows.count) {
    write_element(a.p, y, column, sum.x * scale);
    write_element(a.p, y, column + 8, sum.z * scale);
  }
  if (row + 1 < rows.count) {
    write_element(a.p, y + a.p.ldy, column, sum.y * scale);
    write_element(a.p, y + a.p.ldy, column + 8, sum.w * scale);
  }
}

__device__ void add_to(float4& a, const float4& b) { a = {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w}; }

// f(place of four sums, its number in the block) for each that the thread has to finish.
template <class F>
__device__ void for_each_sum(const linear_plan& l, const linear_rows& rows, F f) {
  const int threads = l.column_warps * 32;
  const int slots = (rows.count + 7) / 8 * 2;
  for (int i = threadIdx.x; i < slots * threads; i += block_threads)
    f(sums_place{i / threads, i % threads}, i);
}

__device__ float4 sum_over_warps(const linear_plan& l, const float4* sums, sums_place s) {
  const float4* first = sums + s.slot * block_threads + s.thread;
  float4 sum = first[0];
  for (int w = 1; w < l.k_warps; ++w) add_to(sum, first[w * l.column_warps * 32]);
  return sum;
}

// Partial sums of the blocks that share columns: [tiles][splits][sums of a block]; the last to come adds them
// up, in the order of the splits.
struct shared_columns {
  std::uint32_t* counter;
  float4* first;
  int block_vectors;
};

__device__ shared_columns columns_of(const linear_launch& a, const linear_place& at, int row_tiles) {
  const int tile = (at.product * a.plan.column_blocks + at.column_block) * a.plan.passes + at.pass;
  const int vectors = row_tiles * 2 * a.plan.column_warps * 32;
  auto* partial = reinterpret_cast<float4*>(a.p.scratch + linear_counter_bytes);
  return {reinterpret_cast<std::uint32_t*>(a.p.scratch) + tile,
          partial + std::int64_t{tile} * a.plan.splits * vectors, vectors};
}

__device__ bool is_last(std::uint32_t* counter, int splits, float4* shared) {
  auto* before = reinterpret_cast<std::uint32_t*>(shared);
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) *before = atomicAdd(counter, 1u);
  __syncthreads();
  __threadfence();
  const bool last = *before == static_cast<std::uint32_t>(splits) - 1;
  if (last && threadIdx.x == 0) *counter = 0;
  return last;
}

__device__ float4 sum_over_splits(const shared_columns& c, int splits, int i) {
  float4 sum = __ldcg(c.first + i);
#pragma unroll 4
  for (int s = 1; s < splits; ++s) add_to(sum, __ldcg(c.first + std::int64_t{s} * c.block_vectors + i));
  return sum;
}

__device__ void finish(const linear_launch& a, const linear_place& at, const linear_rows& rows, int row_tiles,
                       float4* sums) {
  if (a.plan.splits == 1) {
    for_each_sum(a.plan, rows,
                 [&](sums_place s, int) { write_sums(a, at, rows, s, sum_over_warps(a.plan, sums, s)); });
    return;
  }
  const shared_columns c = columns_of(a, at, row_tiles);
  float4* own = c.first + std::int64_t{at.split} * c.block_vectors;
  for_each_sum(a.plan, rows, [&](sums_place s, int i) { own[i] = sum_over_warps(a.plan, sums, s); });
  if (!is_last(c.counter, a.plan.splits, sums + row_tiles * 2 * block_threads)) return;
  for_each_sum(a.plan, rows, [&](sums_place s, int i) {
    write_sums(a, at, rows, s, sum_over_splits(c, a.plan.splits, i));
  });
}

template <weight_format FORMAT, int ROW_TILES>
__device__ const uint4* weights_of(const linear_launch& a, const linear_place& at) {
  const int group = at.column_block * a.plan.column_warps + at.column_warp;
  const std::int64_t steps = linear_padded(a.p.k) / 16 / linear_sizes<FORMAT, ROW_TILES>::step_tiles;
  const std::uint8_t* matrix = a.p.weights + at.product * a.p.weights_stride;
  return reinterpret_cast<const uint4*>(matrix) + group * steps * 64 + at.lane;
}

__device__ bool is_aligned(const linear_params& p) {
  return (reinterpret_cast<std::uintptr_t>(p.x) % 16 | p.ldx % 4 | p.x_stride % 4) == 0;
}

template <weight_format FORMAT, int TERMS, int ROW_TILES>
__global__ void __launch_bounds__(block_threads, 2) linear_kernel(linear_launch a) {
  using sizes = linear_sizes<FORMAT, ROW_TILES>;
  const linear_plan& l = a.plan;
  const linear_place at = place_of(l);
  const linear_rows rows = rows_of(a, at, sizes::rows);
  if (rows.count <= 0) return;
  auto* x = reinterpret_cast<uint4*>(dynamic_shared());
  auto* sums = reinterpret_cast<float4*>(x) + sizes::sums_at(l.k_warps);
  const int chunk_vectors = sizes::chunk_vectors(l.k_warps);

  const x_chunks<sizes::chunk, ROW_TILES, sizes::together> chunks{a, at, rows, is_aligned(a.p)};
  chunks.fetch(0, x);
  warp_product<FORMAT, TERMS, ROW_TILES> product;
  const int tiles = linear_padded(a.p.k) / 16;
  const int first = (at.split * l.k_warps + at.k_warp) * l.segment;
  const bool has_columns = (at.column_block * l.column_warps + at.column_warp) * linear_group < a.p.n;
  product.weights = weights_of<FORMAT, ROW_TILES>(a, at);
  product.step = first / sizes::step_tiles;
  product.end = has_columns ? min(first + l.segment, tiles) / sizes::step_tiles : 0;
  product.live_tiles = (rows.count + 7) / 8;
  product.load_first();
  product.clear();

  const uint4* own = x + at.k_warp * sizes::chunk * ROW_TILES * 32 + at.lane;
  int folds = 0;
  for (int chunk = 0; chunk * sizes::chunk < l.segment;) {
#pragma unroll
    for (int phase = 0; phase < sizes::phases; ++phase, ++chunk) {
      const int buffer = chunk % 2 * chunk_vectors, done = (chunk + 1) * sizes::chunk;
      if (done - sizes::chunk >= l.segment) break;
      copy_wait<0>();
      chunks.convert(chunk, x + buffer);
      __syncthreads();
      if (done < l.segment) chunks.fetch(chunk + 1, x + (chunk_vectors - buffer));
      product.multiply_chunk(own + buffer, phase);
      if (done % fold_tiles != 0) continue;
      product.fold(sums, folds == 0);
      ++folds;
    }
  }
  product.fold(sums, folds == 0);
  __syncthreads();
  finish(a, at, rows, ROW_TILES, sums);
}

template <weight_format FORMAT, int TERMS, int ROW_TILES>
cudaError_t launch_linear(const linear_launch& a, cudaStream_t stream) {
  using sizes = linear_sizes<FORMAT, ROW_TILES>;
  const linear_plan& l = a.plan;
  const dim3 grid(static_cast<unsigned>(l.passes), static_cast<unsigned>(l.column_blocks * l.splits),
                  static_cast<unsigned>(a.p.batch));
  const int vectors = sizes::sums_at(l.k_warps) + sizes::sum_vectors + 1;
  return launch(linear_kernel<FORMAT, TERMS, ROW_TILES>, grid, dim3(block_threads), vectors * sizeof(uint4),
                stream, a);
}

template <weight_format FORMAT, int TERMS>
cudaError_t launch_rows(const linear_launch& a, cudaStream_t stream) {
  switch (a.plan.row_tiles) {
    case 1:
      return launch_linear<FORMAT, TERMS, 1>(a, stream);
    case 2:
      return launch_linear<FORMAT, TERMS, 2>(a, stream);
    case 4:
      return launch_linear<FORMAT, TERMS, 4>(a, stream);
    default:
      return launch_linear<FORMAT, TERMS, 8>(a, stream);
  }
}

template <weight_format FORMAT>
cudaError_t launch_terms(const linear_launch& a, cudaStream_t stream) {
  return a.p.terms == precision::f32_like ? launch_rows<FORMAT, 2>(a, stream)
                                          : launch_rows<FORMAT, 1>(a, stream);
}

}  // namespace

std::size_t linear_scratch_bytes(const linear_params& p) {
  if (p.m <= 0) return 0;
  const linear_plan l = plan_of(p);
  if (l.splits == 1) return 0;
  const std::size_t tiles = std::size_t{static_cast<unsigned>(l.column_blocks * p.batch)} * l.passes;
  return linear_counter_bytes + tiles * l.splits * (l.row_tiles * 2 * l.column_warps * 32 * sizeof(float4));
}

cudaError_t linear(const linear_params& p, cudaStream_t stream) {
  if (p.m <= 0) return cudaSuccess;
  const linear_launch a{p, plan_of(p)};
  if (a.plan.splits > 1 &&
      a.plan.column_blocks * p.batch * a.plan.passes * sizeof(std::uint32_t) > linear_counter_bytes)
    return cudaErrorInvalidValue;
  return p.format == weight_format::bf16 ? launch_terms<weight_format::bf16>(a, stream)
                                         : launch_terms<weight_format::e4m3>(a, stream);
}

kernel_work work_of(const linear_params& p) { return work_of(p, double{1.0 * p.m} * p.batch, p.batch); }

kernel_work work_of(const linear_params& p, double rows, double experts) {
  const double written = rows * p.n * sizeof(float);
  const auto weights = static_cast<double>(packed_linear_bytes(p.format, p.n, p.k));
  return {.bytes_read =
              experts * weights + rows * p.k * sizeof(float) + (p.output == linear_output::add ? written : 0),
          .bytes_written = written,
          .operations = 2.0 * rows * p.n * p.k};
}

}  // namespace ess::ESS_CUDA
