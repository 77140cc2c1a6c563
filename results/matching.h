// Which points of two runs are about the same thing, and whether two runs' machines and builds are alike.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "results/record.h"

namespace results {

// Label, system and requested settings, without those that describe a machine (link, budgets, threads,
// cluster) and without how long is measured. Points match if these are equal.
[[nodiscard]] nlohmann::json matching_key(const loaded_point& point);

struct difference {
  std::string path;  // "git_revision", "environment.cpu.model"
  std::string a;     // JSON text; "-" where it is missing
  std::string b;
};

// Everything that differs between two runs' builds, workloads and environments.
[[nodiscard]] std::vector<difference> all_differences(const loaded_run& a, const loaded_run& b);

// What makes times of two runs incomparable: another processor, number of cores, memory (by more than 5 %),
// GPU or driver, kind of build or sanitizers; of simulations, the hardware profile alone. Empty: alike. Names
// of hosts do not count: containers have a new one each time.
[[nodiscard]] std::vector<difference> unlike_environments(const environment& a, const environment& b);

}  // namespace results
