// What a profiler saw of an attempt: ranges on the CPU, kernels and copies on the GPU, summed by operation
// and layer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace results {

enum class profiled_activity : std::uint8_t { range, kernel, copy };
inline constexpr int profiled_activity_count = static_cast<int>(profiled_activity::copy) + 1;

[[nodiscard]] std::string_view to_string(profiled_activity activity);
[[nodiscard]] std::optional<profiled_activity> parse_profiled_activity(std::string_view name);

struct profile_line {
  // "score_keys", "fetch", ...; "step" and "point" for what lies in these, but in no operation.
  std::string operation;
  int layer = -1;  // -1: of none, or of more than one
  profiled_activity activity = profiled_activity::range;
  std::string name;  // the kernel's; for a copy its direction, "host to device"; for a range empty
  std::int64_t count = 0;
  double cpu_us = 0;  // that the range was open
  double gpu_us = 0;  // that the GPU was busy with it
  std::int64_t bytes = 0;

  friend bool operator==(const profile_line&, const profile_line&) = default;
};

using profile = std::vector<profile_line>;

}  // namespace results
