#include "ess_core/device/cuda/kernels/linear.h"
#include "ess_core/device/cuda/kernels/linear_product.h"

namespace ess::ESS_CUDA {
namespace {

using namespace linear_parts;

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
