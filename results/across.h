// Results of unlike machines side by side: only figures that each machine's own measurements put in
// proportion.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results/record.h"
#include "results/statistics.h"

namespace results {

// A run, and what `essbench calibrate` found on the same machine; null: it was not run there.
struct machine_results {
  const loaded_run* run = nullptr;
  const loaded_run* calibration = nullptr;
};

struct normalised_value {
  double value = 0;  // a share or a ratio
  std::optional<interval> bounds;
};

struct normalised_figure {
  std::string label, system;
  std::string what;  // "over all_gpu", "of the calibrated link", ...
  std::optional<normalised_value> a, b;
  std::string incomparable;  // why, though both have it
};

struct across_comparison {
  run_record a, b;
  std::vector<normalised_figure> figures;  // that at least one side has
  std::vector<std::string> missing;        // what would have to be measured for more
};

// Points match as in compare. Gains are compared where the link's proportion to compute agrees (compare.h).
[[nodiscard]] across_comparison compare_across(const machine_results& a, const machine_results& b);
[[nodiscard]] std::string show_across(const across_comparison& of);

}  // namespace results
