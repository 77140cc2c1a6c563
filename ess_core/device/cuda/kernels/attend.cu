#include "ess_core/device/cuda/kernels/attend.h"
#include "ess_core/device/cuda/kernels/attend_products.h"

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

template <int HEADS, int TERMS>
__global__ void __launch_bounds__(block_threads, 1) attend_kernel(attend_params p) {
  auto& s = *reinterpret_cast<attend_shared<HEADS>*>(dynamic_shared());
  const attend_place at = place_of<HEADS>(p);
  const int rows = list_rows(p, at, s);
  if (rows <= 0) return write_nothing<HEADS>(p, at);
  fetch_rows(p, at, s, 0, min(rows, tile_rows));
  const logit_share<HEADS> share(at.warp);
  query_part<TERMS> query;
  query.load(p, at.batch_lane, at.first_head + share.head, share.part * part_steps);
  softmax<HEADS, TERMS> soft(at.thread);
  output_part<HEADS, TERMS> output;
  output.clear();
  const bool softens = at.thread < HEADS * 8;

  for (int first = 0; first < rows; first += tile_rows) {
    const int left = rows - first;
    copy_wait<0>();
    __syncthreads();
    unpack_rows(at, s, left);
    __syncthreads();
    if (left > tile_rows) fetch_rows(p, at, s, first + tile_rows, min(left - tile_rows, tile_rows));
    make_logits(at, query, s);
    __syncthreads();
    if (softens) soft.soften(s, p.scale, left);
    __syncthreads();
    output.multiply_by(s.fade, at.lane);
    output.add_rows(at, s);
  }

  const attend_result result = result_of(p, at);
  const int heads = min(HEADS, p.heads - at.first_head);
  __syncthreads();
  if (softens) {
    const float lse = soft.finish(s);
    if (soft.first_row == 0 && soft.head < heads) result.lse[soft.head] = lse;
  }
  __syncthreads();
  output.multiply_by(s.fade, at.lane);
  output.write(result.out, heads, at);
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

static_assert(sizeof(attend_shared<32>) <= 163 * 1024, "what a block of sm_80 may have");

template <int HEADS, int TERMS>
cudaError_t launch_attend(const attend_params& p, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((p.heads + HEADS - 1) / HEADS), static_cast<unsigned>(splits_of(p)),
                  static_cast<unsigned>(p.lanes.lane_count()));
  return launch(attend_kernel<HEADS, TERMS>, grid, dim3(block_threads), sizeof(attend_shared<HEADS>), stream,
                p);
}

// Fewer heads a block where that many fill the device better.
template <int TERMS>
cudaError_t launch_heads(const attend_params& p, cudaStream_t stream) {
  const int blocks = p.lanes.lane_count() * splits_of(p) * ((p.heads + 31) / 32);
  return p.heads <= 16 || blocks <= 66 ? launch_attend<16, TERMS>(p, stream)
                                       : launch_attend<32, TERMS>(p, stream);
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
      p.terms == precision::f32_like ? launch_heads<2>(p, stream) : launch_heads<1>(p, stream);
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
