// The indexer: scores of all keys of a request for each of its query tokens.
#pragma once

#include "ess_core/device/cuda/kernels/index_pages.h"
#include "ess_core/device/cuda/kernels/kernel_work.h"
#include "ess_core/device/cuda/kernels/lanes.h"

namespace ess::ESS_CUDA {

// What the tensor cores multiply: bf16, which holds codes exactly; or the codes themselves, twice as fast,
// but added up with fewer bits than f32 has (H100: about 14), on devices of compute capability 8.9 and later.
enum class score_path : std::uint8_t { bf16, e4m3 };

struct score_keys_params {
  lane_slice lanes;
  int heads;                  // multiple of 4
  const std::uint8_t* query;  // [lanes][heads][128] e4m3
  const float* weight;        // [lanes][heads], query scale and all constants folded in
  const std::uint8_t* pages;  // of the layer, [pages of 64 tokens][8,448]
  float* scores;              // [lanes][max_context]
  std::int64_t max_context;
  std::int64_t max_keys;  // no request of the slice has more, the step's own tokens included
  score_path path;
};

// score[s] = scale[s] * sum_h weight[h] * relu(query[h] . key[s]) for all tokens s up to the lane's own. A
// NaN in the key, the query or their factors makes the score NaN. A score depends neither on where its key
// lies nor on other keys and lanes. cudaErrorNotSupported: no e4m3 products on this device.
cudaError_t score_keys(const score_keys_params& params, cudaStream_t stream);
// keys: of all seats of the slice.
inline kernel_work work_of(const score_keys_params& p, double keys) {
  const double lanes = p.lanes.lane_count(), pairs = keys * p.lanes.queries;
  return {keys * index_key_bytes + lanes * p.heads * (index_dim + 4.0), pairs * 4,
          pairs * p.heads * (2.0 * index_dim + 3)};
}

}  // namespace ess::ESS_CUDA
