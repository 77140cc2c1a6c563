// What essbench plan-capacity was asked and how its answer is shown. A part of plan_capacity_command; not for
// use outside.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/capacity/capacity.h"

namespace harness {

struct plan_capacity_arguments {
  std::string profile;
  std::string model = "deepseek_v3_2";
  int context = 0;
  double tpot_ms = 0;
  int mtp = 2;
  double accept = 1.7;
  std::optional<double> gpu_hour_price;
  std::vector<int> ranks;  // empty: of the profile
  std::vector<int> depths = {1, 2, 3, 4};
  std::vector<std::string> systems = {"ess", "all_gpu"};
  std::vector<double> ratios = {0.05, 0.1, 0.15, 0.2, 0.3, 0.4};
  std::vector<std::string> overlaps = {"da", "layerwise"};
  std::string two_batch_overlap = "both";
  std::vector<std::string> set;
  bool per_layer = false;
  bool json = false;
};

// What is shown.
struct capacity_plan {
  const plan_capacity_arguments& asked;
  const capacity_demand& demand;
  const workloads::hardware_profile& profile;
  const capacity_answer& answer;
};
[[nodiscard]] std::string capacity_text(const capacity_plan& plan);
[[nodiscard]] std::string capacity_json(const capacity_plan& plan);

}  // namespace harness
