#include "results/tests/scratch.h"

#include <cstdlib>
#include <stdexcept>

namespace results::testing {

scratch_folder::scratch_folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "results-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}

scratch_folder::~scratch_folder() {
  std::error_code ignored;
  std::filesystem::permissions(path_, std::filesystem::perms::owner_all, ignored);
  std::filesystem::remove_all(path_, ignored);
}

utc_time a_time(int seconds) {
  return utc_time(std::chrono::sys_days(std::chrono::year(2025) / 11 / 24)) + std::chrono::seconds(seconds);
}

run_record a_run(std::string id) {
  return {.id = std::move(id),
          .started_at = a_time(0),
          .command_line = "essbench run quick",
          .workload_name = "quick",
          .essbench_version = "0.1.0",
          .git_revision = "0123456789ab",
          .git_dirty = true};
}

environment an_environment() {
  return {
      {"cpu", {{"model", "Example 3000"}, {"cores", 8}}}, {"kernel", "6.1.0"}, {"compiler", "GNU 12.2.0"}};
}

workload_record a_workload() {
  return {.name = "quick", .hash = "abc123", .resolved_json = R"({"name":"quick"})"};
}

point_record a_point(std::string label, std::string system) {
  return {.identity = label,
          .label = label,
          .system = system,
          .device = "cpu",
          .clock = "wall",
          .requested = {{"system", system}, {"batch", "max"}, {"context_tokens", 4096}},
          .effective = {{"system", system}, {"batch", 7}, {"context_tokens", 4096}}};
}

attempt_record an_attempt(int n, attempt_status status) {
  attempt_record made{.status = status,
                      .reason = status == attempt_status::ok ? "" : "because",
                      .stop_reason = "max_samples",
                      .started_at = a_time(1),
                      .ended_at = a_time(2),
                      .accuracy = {{"attention_max_error", 0.001}},
                      .events = {{.at = a_time(1), .kind = "retry", .detail = "first step was slow"}}};
  for (int i = 0; i < n; ++i) made.samples["step_time_us"].push_back(1000.0 + i);
  made.series["misses_by_layer"] = {3.5, 7.0};
  made.metrics["step_time_us"] = {.median = 1001.5, .lo = 1000, .hi = 1003, .n = n, .unit = "us"};
  made.metrics["hit_rate"] = {.median = 0.9, .lo = 0.9, .hi = 0.9, .n = 1, .unit = ""};
  return made;
}

}  // namespace results::testing
