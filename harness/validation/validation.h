// The simulator held against what others published or measured, and how far each figure of a profile moves
// what it says.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/execution/published.h"
#include "harness/planning/target.h"

namespace harness {

// A workload with published values and the profile that it is about.
struct validation_case {
  std::string_view workload;
  std::string_view device;
  std::string_view set = {};  // "path=value"; empty: as it ships
};
[[nodiscard]] std::span<const validation_case> validation_cases();

// Throws std::runtime_error if a case cannot be run.
[[nodiscard]] std::vector<published_beside> validate(const validation_case& of);

// The three results that the paper is about.
struct headline {
  double all_gpu_32k = 0;  // tokens/s a node, batch 52
  double gain_32k = 0;     // ESS at batch 160, ratio 0.21
  double gain_128k = 0;    // the best of paper_128k's ratios
};
// Few steps and one followed request: for differences, not for the figures themselves.
[[nodiscard]] headline quick_headline(const target& on);

// What a figure or a table, larger by `factor`, changes of them: ratios to those of the unchanged profile.
struct sensitivity {
  std::string input;
  std::string level;
  headline ratio;
  [[nodiscard]] double largest() const;  // distance from 1
};
// The most sensitive first. `progress` is told the name of each input before it is tried.
[[nodiscard]] std::vector<sensitivity> sensitivities(const workloads::hardware_profile& profile,
                                                     double factor,
                                                     const std::function<void(std::string_view)>& progress);

}  // namespace harness
