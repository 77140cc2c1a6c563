// The JSON of Google Benchmark, as far as essbench reads it.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace results {

// A file that cannot be used; the message names it and what is wrong.
class bench_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct benchmark_rows {
  std::string name;  // with all arguments
  int threads = 1;
  std::string label;                                  // what it says of itself
  std::string time_unit = "ns";                       // of "real_time" and "cpu_time"
  std::map<std::string, std::vector<double>> values;  // times and counters, one a repetition
  std::string error;                                  // why it failed, in its own words; empty if it did not
  std::string skipped;                                // why it was not run, likewise
};

struct benchmark_report {
  nlohmann::json context;                  // an object
  std::vector<benchmark_rows> benchmarks;  // in the order of their first repetitions; aggregates left out
};

// Throws bench_error for anything but such a report; `file` is for messages.
[[nodiscard]] benchmark_report read_benchmark_report(std::string_view json, std::string_view file);

// JSON of any kind, or a bench_error.
[[nodiscard]] nlohmann::json parse_benchmark_json(std::string_view text, std::string_view file);

}  // namespace results
