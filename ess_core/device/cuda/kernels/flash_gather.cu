#include "ess_core/device/cuda/kernel.h"
#include "ess_core/device/cuda/kernels/block_scan.h"
#include "ess_core/device/cuda/kernels/flash_gather.h"
#include "ess_core/device/cuda/kernels/row_move.h"

namespace ess::ESS_CUDA {
namespace {

constexpr int block_threads = 256;
constexpr int block_warps = block_threads / 32;
constexpr int most_seats = 4096;  // of a slice; their first rows are kept in shared memory
constexpr int rows_at_once = 2;   // a warp's

__device__ const std::uint8_t* source_of(const row_source& from, const seat_state& seat, token_id token) {
  return from.rows + ((from.by_host_base ? seat.host_base : 0) + token) * from.pitch;
}

// Fills first_row[i] with the rows of seats before the i-th, and [seats] with all.
template <class Count>
__device__ void number_rows(std::int32_t seats, const Count& count, std::int32_t* first_row, int* partial) {
  __shared__ std::int32_t base;
  if (threadIdx.x == 0) base = 0;
  __syncthreads();
  for (std::int32_t start = 0; start < seats; start += block_threads) {
    const std::int32_t i = start + static_cast<std::int32_t>(threadIdx.x);
    partial[threadIdx.x] = i < seats ? count(i) : 0;
    for (int distance = 1; distance < block_threads; distance *= 2) {
      __syncthreads();
      const int before = static_cast<int>(threadIdx.x) >= distance ? partial[threadIdx.x - distance] : 0;
      __syncthreads();
      partial[threadIdx.x] += before;
    }
    __syncthreads();
    if (i < seats) first_row[i + 1] = base + partial[threadIdx.x];
    __syncthreads();
    if (threadIdx.x == 0) base += partial[block_threads - 1];
    __syncthreads();
  }
  if (threadIdx.x == 0) first_row[0] = 0;
  __syncthreads();
}

// The last seat of those that begin at or before `row` and have rows.
__device__ std::int32_t seat_of_row(const std::int32_t* first_row, std::int32_t seats, std::int32_t row) {
  std::int32_t low = 0;
  std::int32_t high = seats;
  while (high - low > 1) {
    const std::int32_t middle = (low + high) / 2;
    if (first_row[middle] <= row) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

// Calls move_of(seat in slice, row of that seat) for its warp's rows and moves them.
template <class MoveOf>
__device__ void move_all(std::int32_t seats, const std::int32_t* first_row, std::int32_t row_bytes,
                         const MoveOf& move_of) {
  const std::int32_t warps = static_cast<std::int32_t>(gridDim.x) * block_warps;
  const std::int32_t warp =
      static_cast<std::int32_t>(blockIdx.x) * block_warps + static_cast<std::int32_t>(threadIdx.x) / 32;
  const std::int32_t rows = first_row[seats];
  for (std::int32_t row = warp * rows_at_once; row < rows; row += warps * rows_at_once) {
    row_move moves[rows_at_once];
    for (int i = 0; i < rows_at_once; ++i) {
      const std::int32_t at = min(row + i, rows - 1);
      const std::int32_t seat = seat_of_row(first_row, seats, at);
      moves[i] = move_of(seat, at - first_row[seat]);
      if (row + i >= rows) moves[i].to = nullptr;
    }
    move_rows<rows_at_once>(moves, row_bytes);
  }
}

__global__ void __launch_bounds__(block_threads) gather_kernel(gather_params p) {
  __shared__ int partial[block_threads];
  auto* const first_row = reinterpret_cast<std::int32_t*>(dynamic_shared());
  const auto record = [&p](std::int32_t seat) {
    return p.misses + (p.lanes.first_seat + seat) * (p.misses_per_seat + 1) * 8;
  };
  number_rows(
      p.lanes.seat_count,
      [&](std::int32_t seat) { return *reinterpret_cast<const std::int32_t*>(record(seat)); }, first_row,
      partial);
  move_all(p.lanes.seat_count, first_row, p.rows.row_bytes, [&](std::int32_t i, std::int32_t n) {
    const seat_state& seat = p.lanes.seats[p.lanes.first_seat + i];
    const row_miss miss = reinterpret_cast<const row_miss*>(record(i) + 8)[n];
    return row_move{source_of(p.from, seat, miss.token), p.rows.row_at(seat, miss.location)};
  });
  if (blockIdx.x != 0) return;
  for (std::int32_t i = static_cast<std::int32_t>(threadIdx.x); i < p.lanes.seat_count; i += block_threads)
    p.counters[p.lanes.first_seat + i].rows_in += first_row[i + 1] - first_row[i];
}

__global__ void __launch_bounds__(block_threads) gather_pool_kernel(gather_pool_params p) {
  __shared__ int partial[block_threads];
  auto* const first_row = reinterpret_cast<std::int32_t*>(dynamic_shared());
  number_rows(
      p.lanes.seat_count,
      [&p](std::int32_t i) {
        return static_cast<std::int32_t>(p.pools.headers[p.lanes.seats[p.lanes.first_seat + i].home].used);
      },
      first_row, partial);
  move_all(p.lanes.seat_count, first_row, p.rows.row_bytes, [&p](std::int32_t i, std::int32_t slot) {
    const seat_state& seat = p.lanes.seats[p.lanes.first_seat + i];
    const token_id token = p.pools.token_of[p.rows.rows_in(seat.device_base) + slot];
    return row_move{source_of(p.from, seat, token), p.rows.row_at(seat, slot)};
  });
  if (blockIdx.x != 0) return;
  for (std::int32_t i = static_cast<std::int32_t>(threadIdx.x); i < p.lanes.seat_count; i += block_threads)
    p.counters[p.lanes.first_seat + i].rows_in += first_row[i + 1] - first_row[i];
}

std::size_t shared_bytes(const lane_slice& lanes) {
  return (static_cast<std::size_t>(lanes.seat_count) + 1) * sizeof(std::int32_t);
}

}  // namespace

cudaError_t flash_gather(const gather_params& p, cudaStream_t stream) {
  if (p.lanes.seat_count > most_seats || p.rows.row_bytes % 16 != 0 || p.from.pitch % 16 != 0)
    return cudaErrorInvalidValue;
  return launch(gather_kernel, dim3(static_cast<unsigned>(p.blocks)), dim3(block_threads),
                shared_bytes(p.lanes), stream, p);
}

cudaError_t gather_pool(const gather_pool_params& p, cudaStream_t stream) {
  if (p.lanes.seat_count > most_seats || p.rows.row_bytes % 16 != 0 || p.from.pitch % 16 != 0)
    return cudaErrorInvalidValue;
  return launch(gather_pool_kernel, dim3(static_cast<unsigned>(p.blocks)), dim3(block_threads),
                shared_bytes(p.lanes), stream, p);
}

kernel_work work_of_gather(std::int64_t rows, std::int32_t row_bytes) {
  const double bytes = static_cast<double>(rows) * row_bytes;
  return {bytes, bytes, 0};
}

std::int64_t gather_bytes_in_flight(std::int32_t blocks, std::int32_t row_bytes) {
  return std::int64_t{blocks} * block_warps * rows_at_once * row_bytes;
}

}  // namespace ess::ESS_CUDA
