// Step times of many runs of one build, kept to learn what chance alone does on a machine: as data that a
// reader can look at and a test can replay.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "harness/measure/stopping_rule.h"
#include "results/judging/judge.h"
#include "workloads/error.h"

namespace harness {

struct recorded_point {
  std::string label, system;
  stopping_options stopping;              // of the workload as a gate runs it
  std::vector<std::vector<double>> runs;  // step_time_us of each, in the order taken, without warm-up
};

struct noise_recording {
  std::string workload;
  results::environment machine;
  std::vector<recorded_point> points;  // as many runs each
};

// Of the points that are ok in every run.
[[nodiscard]] noise_recording recording_of(
    const results::arm& runs, std::string_view workload,
    const std::vector<std::pair<std::string, stopping_options>>& stopping);

// {"essbench_noise": 1, "workload", "environment", "points": [{"label", "system", "stopping", "runs"}]};
// times in tenths of a microsecond.
[[nodiscard]] std::string to_text(const noise_recording& of);
// Strict; `file` is for messages.
[[nodiscard]] workloads::result<noise_recording> read_recording(std::string_view text, std::string_view file);
[[nodiscard]] workloads::result<noise_recording> load_recording(const std::string& file);

}  // namespace harness
