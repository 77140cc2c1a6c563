// The ids of the k largest scores.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ess::cpu {

struct select_topk_params {
  const float* scores;  // [n]
  std::int32_t n;
  std::int32_t k;
  std::int32_t* ids;  // [k], ascending; beyond min(k, n): -1
  void* scratch;      // select_topk_scratch_bytes(n), aligned to 64
};

// Of equal scores the smaller ids win; +0 equals -0; NaN counts as -inf.
void select_topk(const select_topk_params& params);
[[nodiscard]] std::size_t select_topk_scratch_bytes(std::int32_t n);

}  // namespace ess::cpu
