// The ids of the k largest scores of each lane.
#pragma once

#include <cstddef>

#include "ess_core/device/cuda/kernels/kernel_work.h"
#include "ess_core/device/cuda/kernels/lanes.h"

namespace ess::ESS_CUDA {

struct select_topk_params {
  lane_slice lanes;
  const float* scores;  // [lanes][max_context], of each the tokens up to the lane's own
  std::int64_t max_context;
  std::int64_t max_keys;  // no request of the slice has more, the step's own tokens included
  std::int32_t k;
  std::int32_t* ids;  // of the layer: [lanes][k], ascending; beyond min(k, scores): -1
  std::byte*
      scratch;  // select_topk_scratch_bytes, 16-byte aligned; zero before first use, each launch leaves it so
};

[[nodiscard]] std::size_t select_topk_scratch_bytes(std::int64_t lanes, std::int64_t max_context);
// Of equal scores the smaller ids win; +0 equals -0; NaN counts as -inf. One launch for contexts of up to
// 16,384 tokens, five for longer ones, whose lanes are then shared by many blocks.
cudaError_t select_topk(const select_topk_params& params, cudaStream_t stream);
// keys: of all lanes of the slice.
inline kernel_work work_of(const select_topk_params& p, double keys) {
  return {4 * keys, 4.0 * p.lanes.lane_count() * p.k, keys};
}

}  // namespace ess::ESS_CUDA
