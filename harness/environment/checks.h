// Whether this machine can give times worth keeping: the library behind `essbench doctor`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ess_core/base/units.h"

namespace harness {

enum class check_status : std::uint8_t { ok, warn, fail };
[[nodiscard]] std::string_view to_string(check_status status);
[[nodiscard]] std::optional<check_status> parse_check_status(std::string_view name);

struct check {
  std::string name;
  check_status status = check_status::ok;
  std::string text;  // what was found
  std::string hint;  // what to do about it; empty if nothing
};

// Measured by whoever owns the kernels. `fma_gflops` is what the same cores do on fused multiply-adds in
// registers.
struct gemm_rate {
  std::string kernel;
  double gflops = 0;
  double fma_gflops = 0;
};

// All that the checks judge. What is not known is not judged: its check says so and is ok.
struct check_facts {
  nlohmann::json environment;  // capture_environment
  std::filesystem::path scratch;
  std::optional<ess::byte_count> scratch_free = std::nullopt;
  std::optional<ess::microseconds> clock_resolution = std::nullopt;
  std::optional<gemm_rate> gemm = std::nullopt;
};

// Measures what `environment` does not hold: free space in `scratch` and the clock's smallest step.
[[nodiscard]] check_facts gather_facts(nlohmann::json environment, const std::filesystem::path& scratch,
                                       std::optional<gemm_rate> gemm);
// The smallest step seen of the clock that steps are timed with (std::chrono::steady_clock).
[[nodiscard]] ess::microseconds measure_clock_resolution();

// In a fixed order: cores, governor, load, memory, clock, scratch, build, nvtx, gemm.
[[nodiscard]] std::vector<check> run_checks(const check_facts& facts);
[[nodiscard]] check_status worst(const std::vector<check>& checks);

}  // namespace harness
