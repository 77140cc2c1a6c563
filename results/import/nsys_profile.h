// What an Nsight Systems export says of each point. A kernel or copy belongs to the innermost range of
// essbench that was open on the CPU thread of the call that launched it, when it was launched. What a CUDA
// graph runs was launched by one call, outside of operations: it belongs to the step.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "results/import/nsys_export.h"
#include "results/profile.h"

namespace results {

struct join_count {
  std::int64_t in_operations = 0;
  std::int64_t in_steps = 0;
  std::int64_t of_graphs = 0;     // of those in steps
  std::int64_t in_points = 0;     // outside of steps
  std::int64_t nowhere = 0;       // in no point: no call, or a call in no range
  std::int64_t without_call = 0;  // of those
  double nowhere_us = 0;          // of GPU time
};

struct profiled_points {
  std::map<std::string, profile> by_label;
  join_count joined;
};

[[nodiscard]] profiled_points join_by_range(const nsys_export& of);
// In words.
[[nodiscard]] std::string to_text(const join_count& of);

}  // namespace results
