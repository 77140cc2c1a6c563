// For tests: runs a program under the recording tool (testing/recorder.cpp) and gives the ranges it emitted.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ess::nvtx {

struct recorded_range {
  std::string domain;
  std::string name;
  int thread = 0;   // numbered in the order of first events
  int parent = -1;  // index of the enclosing range of the same thread and domain, -1: none
  bool closed = false;
  std::map<std::string, std::int64_t> payload;
};

class recording_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Ranges in the order in which they were opened. Throws recording_error on a malformed line or a pop too
// many.
[[nodiscard]] std::vector<recorded_range> parse_recording(std::string_view log);

struct recorded_run {
  int exit_code = 0;  // 128 + signal if one killed it
  std::vector<recorded_range> ranges;
};

// Runs `command` (path and arguments) to its end. Only where the build has NVTX; throws recording_error
// otherwise.
[[nodiscard]] recorded_run run_recorded(const std::vector<std::string>& command);

}  // namespace ess::nvtx
