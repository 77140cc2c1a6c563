#include "ess_core/device/cuda/kernel.h"
#include "ess_core/device/cuda/kernels/flash_scatter.h"
#include "ess_core/device/cuda/kernels/row_move.h"

namespace ess::ESS_CUDA {
namespace {

constexpr int block_threads = 256;
constexpr int block_warps = block_threads / 32;

// The lane of this warp; at or beyond the slice's end, none.
__device__ std::int32_t own_lane(const lane_slice& lanes) {
  return lanes.first_lane() + static_cast<std::int32_t>(blockIdx.x) * block_warps +
         static_cast<std::int32_t>(threadIdx.x) / 32;
}

__global__ void __launch_bounds__(block_threads) append_kernel(append_rows_params p) {
  const std::int32_t lane = own_lane(p.lanes);
  if (lane >= p.lanes.first_lane() + p.lanes.lane_count()) return;
  const seat_state& seat = p.lanes.seat_of(lane);
  const row_location location = p.addressing == row_addressing::by_token
                                    ? p.lanes.position_of(lane)
                                    : p.headers[seat.home].new_rows[lane % p.lanes.queries];
  const row_move move[1] = {
      {p.latent_new + std::int64_t{lane} * p.rows.row_bytes, p.rows.row_at(seat, location)}};
  move_rows<1>(move, p.rows.row_bytes);
}

__global__ void __launch_bounds__(block_threads) scatter_kernel(scatter_params p) {
  const std::int32_t lane = own_lane(p.lanes);
  if (lane >= p.lanes.first_lane() + p.lanes.lane_count()) return;
  const seat_state& seat = p.lanes.seat_of(lane);
  const row_move move[1] = {{p.latent_new + std::int64_t{lane} * p.row_bytes,
                             p.host_rows + (seat.host_base + p.lanes.position_of(lane)) * p.pitch}};
  move_rows<1>(move, p.row_bytes);
  if (threadIdx.x % 32 == 0) atomicAdd(&p.counters[lane / p.lanes.queries].rows_out, 1);
}

dim3 grid_of(const lane_slice& lanes) {
  return dim3(static_cast<unsigned>((lanes.lane_count() + block_warps - 1) / block_warps));
}

}  // namespace

cudaError_t append_rows(const append_rows_params& p, cudaStream_t stream) {
  if (p.rows.row_bytes % 16 != 0) return cudaErrorInvalidValue;
  return launch(append_kernel, grid_of(p.lanes), dim3(block_threads), 0, stream, p);
}

cudaError_t flash_scatter(const scatter_params& p, cudaStream_t stream) {
  if (p.row_bytes % 16 != 0 || p.pitch % 16 != 0) return cudaErrorInvalidValue;
  return launch(scatter_kernel, grid_of(p.lanes), dim3(block_threads), 0, stream, p);
}

kernel_work work_of_scatter(std::int64_t rows, std::int32_t row_bytes) {
  const double bytes = static_cast<double>(rows) * row_bytes;
  return {bytes, bytes, 0};
}

}  // namespace ess::ESS_CUDA
