// Double-precision reference of a mixture of experts, as DeepSeek-V3 has it. Source: DeepSeek-V3.2-Exp,
// inference/model.py (Gate, MoE).
#pragma once

#include <span>
#include <vector>

#include "ess_core/model/dims.h"

namespace ess::reference {

// 1 / (1 + exp(-W x)). router: [experts][in].
[[nodiscard]] std::vector<double> router_scores(std::span<const float> router, std::span<const float> x);

struct weighed_expert {
  std::int32_t expert = 0;
  double weight = 0;
};

// The experts of one token, by ascending id. They form moe.groups equal groups; those stay whose two best
// biased scores sum to most; of the experts in them the best by biased score are chosen. Their weights are
// the scores without bias, scaled to sum to moe.routed_scale. Of equals the one with the smaller number wins.
[[nodiscard]] std::vector<weighed_expert> choose_experts(std::span<const float> scores,
                                                         std::span<const float> bias, const moe_dims& moe);

// Who is where once tokens are grouped by expert, and within an expert by lane. The shared expert, if there
// is one, has id moe.experts and every lane.
struct grouped_row {
  std::int32_t expert = 0;
  std::int32_t lane = 0;

  friend bool operator==(const grouped_row&, const grouped_row&) = default;
};
// choices: [lanes] lists of ids.
[[nodiscard]] std::vector<grouped_row> group_by_expert(std::span<const std::vector<std::int32_t>> choices,
                                                       const moe_dims& moe);

// Sum of weights[i] x outputs[i]. The shared expert's weight is 1.
[[nodiscard]] std::vector<double> combine(std::span<const double> weights,
                                          std::span<const std::vector<double>> outputs);

}  // namespace ess::reference
