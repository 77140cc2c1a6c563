// A folder of its own for each test, and records to fill a store with.
#pragma once

#include <filesystem>
#include <string>

#include "results/record.h"

namespace results::testing {

class scratch_folder {
 public:
  scratch_folder();
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder();

  [[nodiscard]] std::filesystem::path operator/(const char* name) const { return path_ / name; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

[[nodiscard]] run_record a_run(std::string id = "run-1");
[[nodiscard]] environment an_environment();
[[nodiscard]] workload_record a_workload();
// Its identity is its label.
[[nodiscard]] point_record a_point(std::string label, std::string system = "ess");
// `n` samples of step time, and what follows from them.
[[nodiscard]] attempt_record an_attempt(int n = 4, attempt_status status = attempt_status::ok);
[[nodiscard]] utc_time a_time(int seconds);

}  // namespace results::testing
