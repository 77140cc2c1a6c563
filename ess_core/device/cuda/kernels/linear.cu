#include "ess_core/device/cuda/kernels/linear.h"
#include "ess_core/device/cuda/kernels/linear_finish.h"

namespace ess::ESS_CUDA {
namespace {

using namespace linear_parts;

__device__ bool is_aligned(const linear_params& p) {
  return (reinterpret_cast<std::uintptr_t>(p.x) % 16 | p.ldx % 4 | p.x_stride % 4) == 0;
}

__device__ void wait_for_oldest(int stages) {
  switch (stages) {
    case 2:
      return copy_wait<0>();
    case 3:
      return copy_wait<1>();
    default:
      return copy_wait<most_stages - 2>();
  }
}

// What bounds it, at n = 36,864 and k = 7,168 in bf16 with two terms on an H200 (4.8 TB/s, mma.sync 600
// TFLOP/s):
//   m = 38, a pass of 5 row tiles: 528 MB of weights are 110 us; x, read by 72 tiles, is 78 MB of L2, partial
//     sums 2 x 20 MB; 10.3 M mma are 70 us; a scheduler issues 0.45 of its slots. About 130 us.
//   m = 160, three passes of 7: 528 MB of DRAM, but 1.9 GB of L2 (5 TB/s: 390 us); 43 M mma are 300 us.
//     About 430 us.
// Weights on their way: 32 KB a stage (of e4m3 16), one to three stages ahead on each multiprocessor.
template <weight_format FORMAT, int TERMS>
__global__ void __launch_bounds__(block_threads, 1) linear_kernel(linear_launch a) {
  const linear_plan& l = a.plan;
  const linear_place at = place_of(l);
  const linear_rows rows = rows_of(a, at);
  if (rows.count <= 0) return;
  auto* shared = reinterpret_cast<uint4*>(dynamic_shared());
  const uint4* matrix = reinterpret_cast<const uint4*>(a.p.weights + at.product * a.p.weights_stride);
  const linear_ring<FORMAT> ring{a, at, rows, shared + 1, matrix + at.lane, is_aligned(a.p)};
  const linear_finish finish{a, at, rows, reinterpret_cast<float4*>(ring.stage(l.stages)),
                             reinterpret_cast<std::uint32_t*>(shared)};

  const int first = l.first_unit(at.block);
  int to_fetch = l.first_unit(at.block + 1) - first;
  linear_cursor now{first / l.units, first % l.units}, ahead = now;
  const auto fetch = [&](int stage) {
    if (to_fetch-- > 0) ring.fetch(ahead, ring.stage(stage));
    ahead.advance(l.units);
    copy_commit();
  };
  int units = to_fetch, stage = 0, free = l.stages - 1;
  for (int s = 0; s < free; ++s) fetch(s);

  warp_product<TERMS> product;
  product.clear();
  for (; units > 0; --units) {
    wait_for_oldest(l.stages);
    __syncthreads();
    fetch(free);
    if (ring.has_chunk(now.unit)) {
      chunk_fragments weights;
      to_fragments<FORMAT>(ring.weights_in(ring.stage(stage)), weights);
      product.multiply(weights, ring.x_in(ring.stage(stage)), l.row_tiles * 32, rows.tiles());
    }
    if (now.unit == l.units - 1 || units == 1) {
      finish.tile(now.tile, product);
      product.clear();
    }
    now.advance(l.units);
    free = stage;
    stage = stage + 1 == l.stages ? 0 : stage + 1;
  }
}

template <weight_format FORMAT, int TERMS>
cudaError_t launch_linear(const linear_launch& a, cudaStream_t stream) {
  const linear_plan& l = a.plan;
  const dim3 grid(static_cast<unsigned>(l.passes), static_cast<unsigned>(l.blocks),
                  static_cast<unsigned>(a.p.batch));
  const int shared = (1 + l.stages * stage_vectors(FORMAT, l)) * 16 + (l.k_warps > 1 ? warp_sums_bytes : 0);
  return launch(linear_kernel<FORMAT, TERMS>, grid, dim3(block_threads), static_cast<std::size_t>(shared),
                stream, a);
}

template <weight_format FORMAT>
cudaError_t launch_terms(const linear_launch& a, cudaStream_t stream) {
  return a.p.terms == precision::f32_like ? launch_linear<FORMAT, 2>(a, stream)
                                          : launch_linear<FORMAT, 1>(a, stream);
}

}  // namespace

std::size_t linear_scratch_bytes(const linear_params& p) {
  if (p.m <= 0) return 0;
  const linear_plan l = plan_of(p);
  if (!l.shares_tiles()) return 0;
  const std::size_t pieces = std::size_t{static_cast<unsigned>(p.batch * l.passes)} * l.pieces();
  return linear_counter_bytes + pieces * l.tile_vectors() * sizeof(float4);
}

cudaError_t linear(const linear_params& p, cudaStream_t stream) {
  if (p.m <= 0) return cudaSuccess;
  const linear_launch a{p, plan_of(p)};
  if (a.plan.shares_tiles() &&
      a.plan.tiles * p.batch * a.plan.passes * sizeof(std::uint32_t) > linear_counter_bytes)
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
