#include "ess_core/device/cuda/kernels/row_counts.h"

#include "ess_core/device/cuda/kernel.h"

namespace ess::ESS_CUDA {
namespace {

constexpr int block_threads = 128;

__global__ void __launch_bounds__(block_threads) count_kernel(row_counts_params p) {
  const std::int32_t i = static_cast<std::int32_t>(blockIdx.x * block_threads + threadIdx.x);
  if (i >= p.lanes.seat_count) return;
  const std::int32_t seat = p.lanes.first_seat + i;
  const std::uint8_t* record = p.misses + seat * (p.misses_per_seat + 1) * 8;
  p.counters[seat].rows_in += p.misses == nullptr ? p.lanes.seats[seat].position
                                                  : *reinterpret_cast<const std::int32_t*>(record);
}

}  // namespace

cudaError_t count_rows_in(const row_counts_params& p, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((p.lanes.seat_count + block_threads - 1) / block_threads));
  return launch(count_kernel, grid, dim3(block_threads), 0, stream, p);
}

}  // namespace ess::ESS_CUDA
