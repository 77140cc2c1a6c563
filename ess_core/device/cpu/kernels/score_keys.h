// The indexer: scores of all keys of a request for one query token.
#pragma once

#include <cstdint>

namespace ess::cpu {

inline constexpr int index_dim = 128;

struct score_keys_params {
  const std::uint8_t* query;  // [heads][128] e4m3
  const float* weight;        // [heads], query scale and all constants folded in
  const std::uint8_t* pages;  // [ceil(keys / 64)][8,448]: 64 x 128 e4m3, then 64 f32 scales
  std::int64_t keys;
  int heads;
  float* scores;  // [keys]
};

// score[s] = scale[s] * sum_h weight[h] * relu(query[h] . key[s]), in f32; a NaN anywhere makes the score
// NaN. The sums of a key do not depend on its neighbours or on `keys`. Takes any heads > 0 up to
// max_index_heads.
inline constexpr int max_index_heads = 128;
void score_keys(const score_keys_params& params);

}  // namespace ess::cpu
