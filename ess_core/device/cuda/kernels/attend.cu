#include "ess_core/device/cuda/kernels/attend.h"
#include "ess_core/device/cuda/kernels/attend_products.h"
#include "ess_core/device/cuda/kernels/attend_softmax.h"

namespace ess::ESS_CUDA {
namespace {

using namespace attend_parts;

// Where a block leaves what it attended: in the output, or with several splits in scratch,
// [lanes of the slice][splits][heads] logarithms, then as many outputs.
struct attend_result {
  float* out;
  float* lse;
};

__host__ __device__ std::int64_t partial_heads(const attend_params& p, int splits) {
  return (std::int64_t{p.lanes.lane_count()} * splits * p.heads + 3) / 4 * 4;
}

__device__ attend_result partial_of(const attend_params& p, int splits, int slice_lane, int split, int head) {
  auto* scratch = reinterpret_cast<float*>(p.scratch);
  const std::int64_t at = (std::int64_t{slice_lane} * splits + split) * p.heads + head;
  return {scratch + partial_heads(p, splits) + at * latent, scratch + at};
}

__device__ attend_result result_of(const attend_params& p, const attend_place& at) {
  if (at.splits > 1) return partial_of(p, at.splits, at.slice_lane, at.split, at.first_head);
  const std::int64_t head = at.batch_lane * p.heads + at.first_head;
  return {p.out + head * latent, p.lse + head};
}

// A partial output without rows is never read.
template <int HEADS>
__device__ void write_nothing(const attend_params& p, const attend_place& at) {
  const attend_result result = result_of(p, at);
  const int heads = min(HEADS, p.heads - at.first_head);
  if (at.thread < heads) result.lse[at.thread] = infinity;
  if (at.splits > 1) return;
  for (int i = at.thread; i < heads * latent; i += block_threads) result.out[i] = 0;
}

// Four warps bring rows and make weights while eight multiply: in step i tile i is unpacked, i - 1 multiplied
// by the query, i - 2 softened and i - 3 summed, with one barrier a step.
//
// A step of 32 rows, 32 heads and two terms on an H100 or H200:
// - 1,088 products of 16 x 8 x 16: 1,630 cycles at the 0.67 a cycle that mma.sync reaches;
// - 231 KB through shared memory, 1,800 cycles: keys 74, query 20, logits 32, weights 36, latents
//   32, unpacked rows 37;
// - instructions of a quarter of the multiprocessor: 272 products, 80 loads of operands, 60 others, and about
//   770 of the warp that brings rows.
// All overlap, so that 2,000 to 2,400 cycles are to be expected. A lane of 128 heads and 2,048 rows has 256
// steps, 280 with those that fill and drain: 2.4 to 2.9 us of 132 multiprocessors, and 0.2 us to combine.
template <int HEADS, int ROWS, int TERMS>
__device__ void bring_rows(const attend_params& p, const attend_place& at, attend_shared<HEADS, ROWS>& s,
                           int rows, int steps, float* lse) {
  constexpr int groups = ROWS / (4 * row_warps);
  const int thread = at.thread - product_warps * 32, first = thread / 32 * 4 * groups;
  softmax<HEADS, ROWS, TERMS> soft(thread, p.scale);
  packed_rows packed[groups];
  for (int g = 0; g < groups; ++g) packed[g].load(s.list, first + g * 4, rows, at.lane);
  const auto unpack_group = [&](int g, int tile) {
    if (tile * ROWS >= rows) return;
    packed[g].unpack_to(&s.rows[tile % row_buffers][first + g * 4], at.lane);
    packed[g].load(s.list, (tile + 1) * ROWS + first + g * 4, rows, at.lane);
  };
  for (int step = 0; step < steps; ++step) {
    unpack_group(0, step);
    if (step >= 2 && step < steps - 1) soft.soften(s, step - 2, rows - (step - 2) * ROWS);
    if (groups == 2) unpack_group(groups - 1, step);
    if (step == steps - 1) soft.finish(s, lse, p.heads - at.first_head);
    block_barrier();
  }
}

template <int HEADS, int ROWS, int TERMS>
__device__ void multiply_rows(const attend_params& p, const attend_place& at, attend_shared<HEADS, ROWS>& s,
                              int steps, float* out) {
  query_part<HEADS, ROWS, TERMS> query;
  query.load(p, at, s);
  output_part<HEADS, ROWS, TERMS> output;
  output.clear();
  const product_places<HEADS, ROWS> places(at, s);
  for (int step = 0; step < steps; ++step) {
    if (step >= 1 && step < steps - 2) query.make_logits(places, static_cast<unsigned>(step - 1));
    if (step >= 3) output.add_tile(places, s.fade, static_cast<unsigned>(step - 3), at.lane);
    block_barrier();
  }
  output.multiply_by(s.inverse, at.lane);
  output.write(out, p.heads - at.first_head, at);
}

template <int HEADS, int ROWS, int TERMS>
__global__ void __launch_bounds__(block_threads, 1) attend_kernel(attend_params p) {
  auto& s = *reinterpret_cast<attend_shared<HEADS, ROWS>*>(dynamic_shared());
  const attend_place at = place_of<HEADS>(p);
  const int rows = list_rows(p, at, s);
  if (rows <= 0) return write_nothing<HEADS>(p, at);
  const int steps = (rows + ROWS - 1) / ROWS + 3;
  const attend_result result = result_of(p, at);
  if (at.warp < product_warps) {
    multiply_rows<HEADS, ROWS, TERMS>(p, at, s, steps, result.out);
  } else {
    bring_rows<HEADS, ROWS, TERMS>(p, at, s, rows, steps, result.lse);
  }
}

constexpr int combine_threads = latent / 4;

__device__ bool is_empty(float lse) { return lse > 3.0e38f; }

struct combine_params {
  attend_params p;
  int splits;
};

// A block for each head of a lane adds up its splits, in their order.
__global__ void __launch_bounds__(combine_threads) combine_kernel(combine_params c) {
  const attend_params& p = c.p;
  const int lane = blockIdx.x, head = blockIdx.y;
  const std::int64_t whole = (std::int64_t{p.lanes.first_lane()} + lane) * p.heads + head;
  float top = -infinity, sum = 0;
  for (int i = 0; i < c.splits; ++i) {
    const float lse = *partial_of(p, c.splits, lane, i, head).lse;
    if (!is_empty(lse)) top = fmaxf(top, lse);
  }
  for (int i = 0; i < c.splits; ++i) {
    const float lse = *partial_of(p, c.splits, lane, i, head).lse;
    if (!is_empty(lse)) sum += expf(lse - top);
  }
  const bool nothing = sum == 0.0f;
  const float lse = nothing ? infinity : top + logf(sum);
  float4 out{0, 0, 0, 0};
  for (int i = 0; i < c.splits; ++i) {
    const attend_result part = partial_of(p, c.splits, lane, i, head);
    if (is_empty(*part.lse)) continue;
    const float weight = expf(*part.lse - lse);
    const float4 v = reinterpret_cast<const float4*>(part.out)[threadIdx.x];
    out = {out.x + weight * v.x, out.y + weight * v.y, out.z + weight * v.z, out.w + weight * v.w};
  }
  reinterpret_cast<float4*>(p.out + whole * latent)[threadIdx.x] = out;
  if (threadIdx.x == 0) p.lse[whole] = lse;
}

int splits_of(const attend_params& p) {
  return p.top_k <= split_rows ? 1 : (p.top_k + split_rows - 1) / split_rows;
}

static_assert(sizeof(attend_shared<32, 32>) <= 227 * 1024, "what a block of sm_90 may have");
static_assert(sizeof(attend_shared<32, 16>) <= 163 * 1024, "what a block of sm_80 may have");

template <int HEADS, int ROWS, int TERMS>
cudaError_t launch_attend(const attend_params& p, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((p.heads + HEADS - 1) / HEADS), static_cast<unsigned>(splits_of(p)),
                  static_cast<unsigned>(p.lanes.lane_count()));
  return launch(attend_kernel<HEADS, ROWS, TERMS>, grid, dim3(block_threads),
                sizeof(attend_shared<HEADS, ROWS>), stream, p);
}

// Smaller tiles where shared memory has no room for more; fewer heads a block where that many fill the device
// better.
template <int TERMS>
cudaError_t launch_tiles(const attend_params& p, cudaStream_t stream) {
  int device = 0, shared = 0;
  if (const cudaError_t e = cudaGetDevice(&device)) return e;
  if (const cudaError_t e = cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device))
    return e;
  if (static_cast<std::size_t>(shared) < sizeof(attend_shared<32, 32>))
    return launch_attend<32, 16, TERMS>(p, stream);
  const int blocks = p.lanes.lane_count() * splits_of(p) * ((p.heads + 31) / 32);
  return p.heads <= 16 || blocks <= 66 ? launch_attend<16, 32, TERMS>(p, stream)
                                       : launch_attend<32, 32, TERMS>(p, stream);
}

}  // namespace

std::size_t attend_scratch_bytes(const attend_params& p) {
  const int splits = splits_of(p);
  return splits == 1 ? 0 : static_cast<std::size_t>(partial_heads(p, splits)) * (1 + latent) * sizeof(float);
}

cudaError_t attend(const attend_params& p, cudaStream_t stream) {
  if (p.kv_lora != latent || p.kv_lora + p.rope != width || p.rows.row_bytes < row_vectors * 16)
    return cudaErrorInvalidValue;
  if (p.lanes.lane_count() == 0) return cudaSuccess;
  const cudaError_t e =
      p.terms == precision::f32_like ? launch_tiles<2>(p, stream) : launch_tiles<1>(p, stream);
  if (e != cudaSuccess || splits_of(p) == 1) return e;
  const dim3 grid(static_cast<unsigned>(p.lanes.lane_count()), static_cast<unsigned>(p.heads));
  return launch(combine_kernel, grid, dim3(combine_threads), 0, stream, combine_params{p, splits_of(p)});
}

kernel_work work_of(const attend_params& p) {
  const double lanes = p.lanes.lane_count(), heads = lanes * p.heads;
  return {.bytes_read = lanes * p.top_k * (row_vectors * 16 + 8) + heads * width * sizeof(float),
          .bytes_written = heads * (latent + 1) * sizeof(float),
          .operations = 2 * heads * p.top_k * (width + latent)};
}

}  // namespace ess::ESS_CUDA
