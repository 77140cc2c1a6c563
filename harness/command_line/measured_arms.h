// Two programs that run a workload in turns, each into a database of its own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "harness/gating/gate.h"

namespace harness {

struct measured_arm {
  std::filesystem::path program;
  std::string database;
};

struct measured_arms_options {
  measured_arm before, after;
  std::string workload;
  std::vector<std::string> set, systems;
  std::string device = "cpu";
};

// Runs `program` once; what it stored. Refused, with its last words, if it stored nothing.
[[nodiscard]] results::loaded_run run_once(const measured_arm& arm, const measured_arms_options& options);

class measured_arms {
 public:
  explicit measured_arms(measured_arms_options options) : options_(std::move(options)) {}

  // Appends `blocks` runs to each arm, A B B A A B ..., and tells how far it is.
  void take(std::size_t blocks, two_arms& into);

 private:
  measured_arms_options options_;
};

}  // namespace harness
