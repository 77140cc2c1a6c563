// A mixture of experts but for its products: the router's choice, where the rows of a slice lie once its
// lanes are grouped by expert, lanes to their rows and results back. Pointers named so are to whole buffers,
// indexed by lane or row.
#pragma once

#include "ess_core/device/cuda/kernels/kernel_work.h"
#include "ess_core/device/cuda/kernels/lanes.h"
#include "ess_core/model/dims.h"

namespace ess::ESS_CUDA {

struct choose_experts_params {
  lane_slice lanes;
  int experts;
  int top_k;
  int groups;  // of equal size; experts of the best top_groups of them can be chosen
  int top_groups;
  double routed_scale;
  float* scores;          // [lanes][experts]; logits, become sigmoids
  const float* bias;      // [experts]
  expert_choice* choice;  // [lanes][top_k], by ascending id
};

// Scores and biases are added in double, where sums of four of them are exact, so that choices equal the
// CPU's. Of equals the smaller number wins; a NaN is the smallest value.
cudaError_t choose_experts(const choose_experts_params& params, cudaStream_t stream);
inline kernel_work work_of(const choose_experts_params& p) {
  const double lanes = p.lanes.lane_count();
  return {lanes * p.experts * 4 + p.experts * 4.0, lanes * (p.experts * 4 + p.top_k * 8.0),
          lanes * p.experts * (10.0 + p.top_k)};
}

struct group_by_expert_params {
  lane_slice lanes;
  int experts;  // routed
  int top_k;
  bool shared;                  // one more expert, of all lanes
  const expert_choice* choice;  // [lanes][top_k], ids of a lane differ
  std::int32_t*
      starts;  // of the slice: [experts + 2] first row of each expert, the shared one last, then the end
  std::int32_t* rows;  // [lanes][top_k + shared]
};

// Rows by expert, within an expert by lane; the slice's first one is first lane x (top_k + shared). One
// block.
cudaError_t group_by_expert(const group_by_expert_params& params, cudaStream_t stream);
inline kernel_work work_of(const group_by_expert_params& p) {
  const double lanes = p.lanes.lane_count();
  return {lanes * p.top_k * 16, lanes * (p.top_k + 1) * 4 + p.experts * 4.0, lanes * p.top_k * 4};
}

struct scatter_to_experts_params {
  lane_slice lanes;
  int copies;                // of each lane
  int hidden;                // multiple of 4
  const float* x;            // [lanes of the slice][hidden]
  std::int64_t x_pitch;      // multiple of 4
  const std::int32_t* rows;  // [lanes][copies]
  float* expert_input;       // [lanes x copies][hidden]
};

cudaError_t scatter_to_experts(const scatter_to_experts_params& params, cudaStream_t stream);
inline kernel_work work_of(const scatter_to_experts_params& p) {
  const double bytes = 4.0 * p.lanes.lane_count() * p.hidden;
  return {bytes, bytes * p.copies, 0};
}

struct combine_experts_params {
  lane_slice lanes;
  int top_k;
  bool shared;                  // its weight is 1
  int hidden;                   // multiple of 4
  const expert_choice* choice;  // [lanes][top_k]
  const std::int32_t* rows;     // [lanes][top_k + shared]
  const float* expert_output;   // [lanes x copies][hidden]
  float* y;                     // [lanes][hidden], the residual stream
};

// y += sum of weight x output, by ascending id of the expert.
cudaError_t combine_experts(const combine_experts_params& params, cudaStream_t stream);
inline kernel_work work_of(const combine_experts_params& p) {
  const double values = 1.0 * p.lanes.lane_count() * p.hidden, copies = p.top_k + (p.shared ? 1 : 0);
  return {4 * values * (copies + 1), 4 * values, values * (2 * copies + 1)};
}

}  // namespace ess::ESS_CUDA
