// The router of a mixture of experts: which experts a token goes to, and where its rows lie once all tokens
// are grouped by expert.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ess_core/model/dims.h"

namespace ess::cpu {

// x[i] = 1 / (1 + exp(-x[i])).
void sigmoid(float* x, std::int64_t n);

struct choose_experts_params {
  const float* scores;  // [experts]
  const float* bias;    // [experts]
  moe_dims moe;
  expert_choice* choice;  // [top_k], by ascending id
  std::byte* scratch;     // choose_experts_scratch_bytes, 8-byte aligned
};

[[nodiscard]] std::size_t choose_experts_scratch_bytes(const moe_dims& moe);
// Scores and biases are f32 and are added in double, where sums of four of them are exact: so ties, and the
// order of what is nearly one, are the same on every device. Of equals the smaller number wins.
void choose_experts(const choose_experts_params& params);

struct group_by_expert_params {
  const expert_choice* choice;  // [lanes][top_k], ids of a lane differ
  std::int64_t lanes;
  int experts;  // routed
  int top_k;
  bool shared;             // one more expert, of all lanes
  std::int64_t first_row;  // of all groups
  std::int32_t* starts;    // [experts + 2]: first row of each expert, the shared one last, then the end
  std::int32_t* rows;      // [lanes][top_k + shared]
};

// Rows by expert, within an expert by lane.
void group_by_expert(const group_by_expert_params& params);

}  // namespace ess::cpu
