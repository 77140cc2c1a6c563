#include <limits>

#include "ess_core/device/cuda/kernel.h"
#include "ess_core/device/cuda/kernels/attend.h"

namespace ess::ESS_CUDA {
namespace {

constexpr int block_threads = 256;
constexpr int block_warps = 8;
constexpr int split_rows = 512;  // that a block attends
constexpr int tile_rows = 64;    // of them, at a time
constexpr int latent = 512;
constexpr int width = 576;       // of a row: latent and rotary part
constexpr int row_vectors = 41;  // of 16 bytes in a packed row
constexpr int scale_vector = 32, rotary_vector = 33;
constexpr int k_parts = 4;  // warps share a logit: a quarter of the row's width each
constexpr int part_steps = width / 16 / k_parts;
// Strides in shared memory, chosen against bank conflicts.
constexpr int row_stride = width / 8 + 1;         // vectors of 8 bf16
constexpr int weight_stride = tile_rows / 4 + 2;  // vectors of 4 bf16
constexpr int logit_stride = tile_rows + 8;       // f32
constexpr float infinity = std::numeric_limits<float>::infinity();

// HEADS heads a block: 16 or 32.
template <int HEADS>
struct attend_shared {
  alignas(16) uint4 rows[tile_rows][row_stride];           // a tile in bf16, columns as `column_of` says
  alignas(16) uint4 packed[tile_rows][row_vectors];        // the next one, as it comes
  alignas(16) float logits[k_parts][HEADS][logit_stride];  // to be summed over the parts
  alignas(16) uint2 weights[2][HEADS][weight_stride];      // high and low terms
  std::uint32_t list[split_rows];                          // numbers of the rows
  float fade[HEADS];  // what the new maximum leaves of earlier sums; at the end 1 / sum
  int warp_rows[block_warps];
};

// Numbers of staging rows.
constexpr std::uint32_t in_staging = 0x80000000u;

struct attend_place {
  int thread, lane, warp;
  int first_head;
  int split, splits;
  int slice_lane;  // of the slice
  std::int64_t batch_lane;
};

template <int HEADS>
__device__ attend_place place_of(const attend_params& p) {
  attend_place at;
  at.thread = threadIdx.x;
  at.lane = threadIdx.x % 32;
  at.warp = threadIdx.x / 32;
  at.first_head = blockIdx.x * HEADS;
  at.split = blockIdx.y;
  at.splits = gridDim.y;
  at.slice_lane = blockIdx.z;
  at.batch_lane = p.lanes.first_lane() + at.slice_lane;
  return at;
}

// The number of the row at `rank`, if it counts.
struct ranked_row {
  bool valid;
  std::uint32_t number;
};
__device__ ranked_row row_at_rank(const attend_params& p, const seat_state& seat, std::int64_t lane,
                                  int rank) {
  if (rank >= p.top_k) return {false, 0};
  const std::int64_t base = p.rows.rows_in(seat.device_base);
  const token_id id = p.selected[lane * p.top_k + rank];
  if (id < 0) return {false, 0};
  if (p.addressing == row_addressing::by_token) return {true, static_cast<std::uint32_t>(base + id)};
  const row_location location = p.locations[lane * p.top_k + rank];
  const bool incoming = (location & incoming_flag) != 0;
  if (p.part != row_part::all && incoming != (p.part == row_part::incoming)) return {false, 0};
  const std::int64_t place = location & ~incoming_flag, staged = place - p.rows.held(seat);
  return {true, staged < 0 ? static_cast<std::uint32_t>(base + place)
                           : in_staging | static_cast<std::uint32_t>(seat.staging_base + staged)};
}

// Sum over the threads before this one; `total` is over all.
__device__ int sum_before(int count, const attend_place& at, int* warp_sums, int& total) {
  int upto = count;
#pragma unroll
  for (int d = 1; d < 32; d *= 2) {
    const int below = __shfl_up_sync(~0u, upto, d);
    if (at.lane >= d) upto += below;
  }
  if (at.lane == 31) warp_sums[at.warp] = upto;
  __syncthreads();
  int before = upto - count;
  total = 0;
#pragma unroll
  for (int w = 0; w < block_warps; ++w) {
    if (w < at.warp) before += warp_sums[w];
    total += warp_sums[w];
  }
  return before;
}

// Lists the rows of the block's split, in the order of their ranks among those that count. Returns how many.
template <int HEADS>
__device__ int list_rows(const attend_params& p, const attend_place& at, attend_shared<HEADS>& s) {
  const seat_state& seat = p.lanes.seat_of(static_cast<std::int32_t>(at.batch_lane));
  const int ranks = (p.top_k + block_threads - 1) / block_threads, first = at.thread * ranks;
  int count = 0, total = 0;
#pragma unroll 8
  for (int i = 0; i < ranks; ++i) count += row_at_rank(p, seat, at.batch_lane, first + i).valid ? 1 : 0;
  int place = sum_before(count, at, s.warp_rows, total) - at.split * split_rows;
#pragma unroll 8
  for (int i = 0; i < ranks; ++i) {
    const ranked_row row = row_at_rank(p, seat, at.batch_lane, first + i);
    if (row.valid && place >= 0 && place < split_rows) s.list[place] = row.number;
    place += row.valid ? 1 : 0;
  }
  __syncthreads();
  return min(total - at.split * split_rows, split_rows);
}

// A warp fetches a row.
template <int HEADS>
__device__ void fetch_rows(const attend_params& p, const attend_place& at, attend_shared<HEADS>& s, int first,
                           int count) {
#pragma unroll 2
  for (int row = at.warp; row < count; row += block_warps) {
    const std::uint32_t number = s.list[first + row];
    const std::uint8_t* base = (number & in_staging) != 0 ? p.rows.staging : p.rows.latents;
    const std::uint8_t* from = base + std::int64_t{number & ~in_staging} * p.rows.row_bytes + at.lane * 16;
    copy_async_16(&s.packed[row][at.lane], from);
    if (at.lane < row_vectors - 32) copy_async_16(&s.packed[row][32 + at.lane], from + 32 * 16);
  }
  copy_commit();
}

// A lane unpacks 16 values of a row to two vectors, which lie 256 columns apart, and in each swaps the middle
// ones of four. This is the value that column `column` of a tile holds.
__device__ int column_of(int column) {
  if (column >= latent) return column;
  const int i = column % 4;
  return column % 256 / 8 * 16 + column / 256 * 8 + (column & 4) + (i == 1 ? 2 : i == 2 ? 1 : i);
}

__device__ uint4 unpack_codes(std::uint32_t first, std::uint32_t second, std::uint32_t factor) {
  const bf16_of_codes a = e4m3_to_bf16(first, factor), b = e4m3_to_bf16(second, factor);
  return {a.even, a.odd, b.even, b.odd};
}

__device__ void multiply(uint4& v, std::uint32_t factor) {
  v = {multiply_bf16_pairs(v.x, factor), multiply_bf16_pairs(v.y, factor), multiply_bf16_pairs(v.z, factor),
       multiply_bf16_pairs(v.w, factor)};
}

struct unpacked {
  uint4 first, second;
};
__device__ unpacked unpack(const uint4& codes, float scale) {
  const bool large = scale >= 0x1p7f;  // 2^120 x scale is no bf16
  const float factor = large ? 0x1p120f : scale * 0x1p120f;
  const std::uint32_t factors = pack_bf16(factor, factor);
  unpacked u{unpack_codes(codes.x, codes.y, factors), unpack_codes(codes.z, codes.w, factors)};
  if (large) {
    multiply(u.first, pack_bf16(scale, scale));
    multiply(u.second, pack_bf16(scale, scale));
  }
  constexpr std::uint32_t nan = 0x7fff7fffu;
  if (has_e4m3_nan(codes)) u.first = u.second = {nan, nan, nan, nan};
  return u;
}

// A warp unpacks a row; those beyond `count` become zeros.
template <int HEADS>
__device__ void unpack_rows(const attend_place& at, attend_shared<HEADS>& s, int count) {
  constexpr int vectors = latent / 8;
#pragma unroll 2
  for (int row = at.warp; row < tile_rows; row += block_warps) {
    uint4* to = s.rows[row];
    const uint4* from = s.packed[row];
    unpacked u{};
    uint4 rotary{};
    if (row < count) {
      u = unpack(from[at.lane], reinterpret_cast<const float*>(from + scale_vector)[at.lane / 8]);
      if (at.lane < 8) rotary = from[rotary_vector + at.lane];
    }
    to[at.lane] = u.first;
    to[32 + at.lane] = u.second;
    if (at.lane < 8) to[vectors + at.lane] = rotary;
  }
}

// The part of the query that a warp multiplies: 16 heads, a quarter of the width, as A fragments.
template <int TERMS>
struct query_part {
  std::uint32_t fragment[part_steps][TERMS][4];

  __device__ void load(const attend_params& p, std::int64_t lane, int first_head, int first_step) {
    const int thread = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < part_steps * 4; ++i) {
      const int head = first_head + thread / 4 + i % 2 * 8;
      const int column = (first_step + i / 4) * 16 + thread % 4 * 2 + i / 2 % 2 * 8;
      const float* from = p.query + (lane * p.heads + head) * width;
      const float a = head < p.heads ? from[column_of(column)] : 0.0f;
      const float b = head < p.heads ? from[column_of(column + 1)] : 0.0f;
      const bf16_pairs pairs = split_pair(a, b);
      fragment[i / 4][0][i % 4] = pairs.high;
      if (TERMS == 2) fragment[i / 4][TERMS - 1][i % 4] = pairs.low;
    }
  }
  // Logits of 32 rows over this part; rows: of this lane's address in the first 16.
  __device__ void multiply(const uint4* rows, float (&sum)[4][4]) const {
#pragma unroll
    for (int i = 0; i < 16; ++i) sum[i / 4][i % 4] = 0;
#pragma unroll
    for (int step = 0; step < part_steps; ++step) {
      std::uint32_t b[2][4];
      ldmatrix_x4(b[0], rows + step * 2);
      ldmatrix_x4(b[1], rows + 16 * row_stride + step * 2);
#pragma unroll
      for (int i = 0; i < TERMS * 4; ++i) {
        const int tile = i % 4;
        const std::uint32_t of_tile[2] = {b[tile / 2][tile % 2 * 2], b[tile / 2][tile % 2 * 2 + 1]};
        mma_bf16(sum[tile], fragment[step][i / 4], of_tile);
      }
    }
  }
};

// Which logits a warp makes: a part of the width for 16 heads and, of 16 heads a block, half of a tile's
// rows.
template <int HEADS>
struct logit_share {
  int part, head, first_half, halves;

  __device__ explicit logit_share(int warp)
      : part(warp / 2),
        head(HEADS == 32 ? warp % 2 * 16 : 0),
        first_half(HEADS == 32 ? 0 : warp % 2),
        halves(HEADS == 32 ? 2 : 1) {}
};

template <int HEADS, int TERMS>
__device__ void make_logits(const attend_place& at, const query_part<TERMS>& query, attend_shared<HEADS>& s) {
  const logit_share<HEADS> share(at.warp);
  const int row = at.lane / 16 * 8 + at.lane % 8, vector = share.part * part_steps * 2 + at.lane / 8 % 2;
  for (int half = share.first_half; half < share.first_half + share.halves; ++half) {
    float sum[4][4];
    query.multiply(&s.rows[half * 32 + row][vector], sum);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int head = share.head + at.lane / 4 + i % 2 * 8, of_row = half * 32 + i / 2 * 8 + at.lane % 4 * 2;
      *reinterpret_cast<float2*>(&s.logits[share.part][head][of_row]) = {sum[i / 2][i % 2 * 2],
                                                                         sum[i / 2][i % 2 * 2 + 1]};
    }
  }
}

// Eight threads share a head; each takes rows 4 j .. and 32 + 4 j .. of a tile.
template <int HEADS, int TERMS>
struct softmax {
  int head, first_row;
  float top = -infinity, sum = 0;  // of this thread's rows

  __device__ explicit softmax(int thread) : head(thread / 8), first_row(thread % 8 * 4) {}

  __device__ void logits_of(const attend_shared<HEADS>& s, float scale, int count, float (&x)[8]) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = half * 32 + first_row;
      float4 v = *reinterpret_cast<const float4*>(&s.logits[0][head][row]);
#pragma unroll
      for (int part = 1; part < k_parts; ++part) {
        const float4 w = *reinterpret_cast<const float4*>(&s.logits[part][head][row]);
        v = {v.x + w.x, v.y + w.y, v.z + w.z, v.w + w.w};
      }
      const float all[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
      for (int i = 0; i < 4; ++i) x[half * 4 + i] = row + i < count ? all[i] * scale : -infinity;
    }
  }
  __device__ void store(attend_shared<HEADS>& s, const float (&x)[8]) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float* v = x + half * 4;
      const bf16_pairs a = split_pair(v[0], v[1]), b = split_pair(v[2], v[3]);
      s.weights[0][head][half * 8 + first_row / 4] = {a.high, b.high};
      if (TERMS == 2) s.weights[1][head][half * 8 + first_row / 4] = {a.low, b.low};
    }
  }
  __device__ void soften(attend_shared<HEADS>& s, float scale, int count) {
    float x[8];
    logits_of(s, scale, count, x);
    float most = top;
#pragma unroll
    for (int i = 0; i < 8; ++i) most = fmaxf(most, x[i]);
#pragma unroll
    for (int d = 1; d < 8; d *= 2) most = fmaxf(most, __shfl_xor_sync(~0u, most, d));
    const float fade = __expf(top - most);
    top = most;
    sum *= fade;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      x[i] = __expf(x[i] - most);
      sum += x[i];
    }
    store(s, x);
    if (first_row == 0) s.fade[head] = fade;
  }
  // The logarithm of the whole sum; leaves its inverse where the fading was.
  __device__ float finish(attend_shared<HEADS>& s) {
#pragma unroll
    for (int d = 1; d < 8; d *= 2) sum += __shfl_xor_sync(~0u, sum, d);
    if (first_row == 0) s.fade[head] = 1.0f / sum;
    return top + logf(sum);
  }
};

// A warp's 64 columns of the output, all heads of the block.
template <int HEADS, int TERMS>
struct output_part {
  static constexpr int head_tiles = HEADS / 16;
  float sum[head_tiles][8][4];

  __device__ void clear() {
#pragma unroll
    for (int i = 0; i < head_tiles * 32; ++i) sum[i / 32][i / 4 % 8][i % 4] = 0;
  }
  __device__ void multiply_by(const float* of_heads, int lane) {
#pragma unroll
    for (int i = 0; i < head_tiles * 2; ++i) {
      const float factor = of_heads[i * 8 + lane / 4];
#pragma unroll
      for (int c = 0; c < 8; ++c) {
        sum[i / 2][c][i % 2 * 2] *= factor;
        sum[i / 2][c][i % 2 * 2 + 1] *= factor;
      }
    }
  }
  __device__ void add_rows(const attend_place& at, const attend_shared<HEADS>& s) {
    const int in_16 = at.lane / 8 % 2 * 8 + at.lane % 8, in_vectors = at.lane / 16;
#pragma unroll
    for (int row = 0; row < tile_rows; row += 16) {
      std::uint32_t a[head_tiles][TERMS][4];
#pragma unroll
      for (int i = 0; i < head_tiles * TERMS; ++i)
        ldmatrix_x4(a[i % head_tiles][i / head_tiles],
                    &s.weights[i / head_tiles][i % head_tiles * 16 + in_16][row / 4 + in_vectors * 2]);
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        std::uint32_t b[4];
        ldmatrix_x4_trans(b, &s.rows[row + in_16][at.warp * 8 + c * 2 + in_vectors]);
        const std::uint32_t b0[2] = {b[0], b[1]}, b1[2] = {b[2], b[3]};
#pragma unroll
        for (int i = 0; i < head_tiles * TERMS; ++i) {
          mma_bf16(sum[i % head_tiles][c * 2], a[i % head_tiles][i / head_tiles], b0);
          mma_bf16(sum[i % head_tiles][c * 2 + 1], a[i % head_tiles][i / head_tiles], b1);
        }
      }
    }
  }
  // out: of the block's first head; those beyond `heads` are padding.
  __device__ void write(float* out, int heads, const attend_place& at) const {
#pragma unroll
    for (int i = 0; i < head_tiles * 16; ++i) {
      const int head = i / 8 * 8 + at.lane / 4, column = at.warp * 64 + i % 8 * 8 + at.lane % 4 * 2;
      if (head >= heads) continue;
      out[head * latent + column_of(column)] = sum[i / 16][i % 8][i / 8 % 2 * 2];
      out[head * latent + column_of(column + 1)] = sum[i / 16][i % 8][i / 8 % 2 * 2 + 1];
    }
  }
};

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
