// Run B against run A, of one database or of two.
//
// Points are matched by label, system and requested settings; settings that describe a machine (link,
// budgets, threads, cluster) and how long is measured are left out. Only points that are ok in both are
// compared.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results/matching.h"
#include "results/record.h"
#include "results/statistics.h"

namespace results {

struct metric_comparison {
  std::string name;
  std::string unit;
  double a = 0.0;
  double b = 0.0;
  std::optional<double> ratio;           // b / a; none where a is 0 or a value is not a number
  std::optional<interval> ratio_bounds;  // bootstrap; none without samples on both sides
};

struct point_comparison {
  std::string label;
  std::string system;
  std::string incomparable;  // why nothing below is filled in; empty: compared
  std::vector<metric_comparison> metrics;
  // tokens_per_s over that of all_gpu in the same run; only where both runs have one.
  std::optional<metric_comparison> gain;
  std::string gain_incomparable;  // why gains are not compared, though both runs have one
};

struct comparison {
  run_record a;
  run_record b;
  std::vector<difference> differences;  // of builds, workloads and machines
  std::vector<point_comparison> points;
  std::vector<std::string> only_in_a;  // labels
  std::vector<std::string> only_in_b;
};

// Gains are compared where the stored link proportions (metric link_proportion) agree within this share:
// beyond it a gain says more about the machines than about the systems.
inline constexpr double link_proportion_tolerance = 0.10;

// Why the gains of two points are not comparable; empty: the proportions agree, or were not stored.
[[nodiscard]] std::string objection_to_gain(const loaded_point& a, const loaded_point& b);

[[nodiscard]] comparison compare(const loaded_run& a, const loaded_run& b,
                                 const bootstrap_options& options = {});
[[nodiscard]] std::string show_comparison(const comparison& of);

}  // namespace results
