// Two partial attentions over disjoint rows -> the attention over all of them.
#pragma once

namespace ess::cpu {

struct merge_params {
  const float* out[2];  // [heads][kv_lora] each
  const float* lse[2];  // [heads] each; +inf = that part had no row and weighs nothing
  int heads;
  int kv_lora;
  float* merged;      // [heads][kv_lora]; may be out[0] or out[1]
  float* merged_lse;  // [heads]; may be lse[0] or lse[1]
};

// merged = sum_i out_i * exp(lse_i - merged_lse). Both parts empty: zeros and +inf.
void merge(const merge_params& params);

}  // namespace ess::cpu
