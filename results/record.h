// What the store keeps of a run: one run holds points, a point holds attempts, an attempt holds what was
// measured.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/profile.h"
#include "results/timeline.h"

namespace results {

using utc_time = std::chrono::sys_time<std::chrono::milliseconds>;

// "2025-11-24T03:18:05.120Z"
[[nodiscard]] std::string to_iso8601(utc_time at);
// Exactly the form that to_iso8601 writes.
[[nodiscard]] std::optional<utc_time> parse_iso8601(std::string_view text);

// How an attempt ended. Closed: the words are in the database and in exports.
enum class attempt_status : std::uint8_t {
  ok,
  incorrect,      // failed the accuracy check; holds errors and no time
  unsupported,    // this system, device or version cannot run the point
  out_of_memory,  // does not fit a budget, or an allocation failed
  timeout,
  error,
  noisy,      // measured, but the spread or the pacing of the link was beyond its limit
  throttled,  // measured, but the device lowered its clocks
  cancelled,  // interrupted by the user; a resumed run does it again
  skipped,    // not tried in this run; a resumed run does it
};
inline constexpr int attempt_status_count = static_cast<int>(attempt_status::skipped) + 1;

[[nodiscard]] std::string_view to_string(attempt_status status);
[[nodiscard]] std::optional<attempt_status> parse_attempt_status(std::string_view name);
// ok, noisy and throttled: the attempt holds times.
[[nodiscard]] bool is_measured(attempt_status status);
// A resumed run leaves the point as it is: all but cancelled and skipped.
[[nodiscard]] bool is_finished(attempt_status status);

struct run_record {
  std::string id;  // see new_run_id
  utc_time started_at;
  std::string command_line;
  std::string workload_name;
  std::string essbench_version;
  std::string git_revision;  // empty: not built from a repository
  bool git_dirty = false;
};

// A random (version 4) UUID: runs of different machines can be put into one database.
[[nodiscard]] std::string new_run_id();

// A UUID (version 8) made of the SHA-256 of `bytes`: what is imported twice is the same run.
[[nodiscard]] std::string run_id_of(std::string_view bytes);

using environment = nlohmann::json;  // an object: cpu, memory, kernel, compiler, ...
using settings = nlohmann::json;     // a flat object {path: value}

struct workload_record {
  std::string name;
  std::string hash;           // its identity
  std::string resolved_json;  // what the hash is of
};

struct point_record {
  std::string identity;  // see point_identity
  std::string label;
  std::string system;
  std::string device;
  std::string clock;   // wall, cuda_event or virtual
  settings requested;  // as the workload and the command line say, "max" not yet a number
  settings effective;  // as run
};

// SHA-256 over the workload's hash and everything else the record says, its own identity excepted.
[[nodiscard]] std::string point_identity(const point_record& point, std::string_view workload_hash);

struct metric_value {
  double median = 0.0;
  double lo = 0.0;  // of the interval; equal to the median where there is only one value
  double hi = 0.0;
  std::int64_t n = 0;  // number of samples
  std::string unit;    // "us", "tok/s", "B", "" for a ratio

  friend bool operator==(const metric_value&, const metric_value&) = default;
};

// Times and what is divided by a time: what an incorrect point must not show.
[[nodiscard]] bool is_time_unit(std::string_view unit);

struct event_record {
  utc_time at;
  std::string kind;  // "resumed", "retry", ...
  std::string detail;
};

struct attempt_record {
  attempt_status status = attempt_status::ok;
  std::string reason;       // for people: why the status is not ok
  std::string stop_reason;  // why sampling ended: "relative_ci", "max_samples", ...
  utc_time started_at;
  utc_time ended_at;
  std::map<std::string, std::vector<double>> samples;  // by metric, in the order measured
  std::map<std::string, metric_value> metrics;
  std::map<std::string, double> accuracy;  // NaN is kept
  // What is counted by layer or by step, in their order: "misses_by_layer", "misses_by_step".
  std::map<std::string, std::vector<double>> series;
  timeline steps_timeline;  // of the step nearest to the median; empty: not kept
  profile profiled;         // empty: no profiler looked
  std::vector<event_record> events;
};

// A file that a run, or a part of it, was imported from.
struct import_record {
  utc_time at;
  std::string kind;              // "essbench", "google_benchmark", "nsys"
  std::string file;              // as it was named
  std::string source_version;    // "schema 3", "library 1.8.0", ...
  std::string essbench_version;  // that imported it
  environment env;               // that the source was made in
  std::int64_t points = 0;       // added by it
  std::int64_t attempts = 0;
  std::string note;  // for people: what could not be used
};

// A run as it comes back from the store.
struct loaded_point {
  point_record point;
  std::vector<attempt_record> attempts;  // oldest first

  // The one that counts; null if the point has not been tried.
  [[nodiscard]] const attempt_record* last() const { return attempts.empty() ? nullptr : &attempts.back(); }
};

struct loaded_run {
  run_record run;
  environment env;
  workload_record workload;
  std::vector<loaded_point> points;  // in the order of their registration
  std::vector<event_record> events;  // of the run; those of attempts are with the attempts
  std::vector<import_record> imports;
};

// The metric of the last attempt, if that was measured and has it.
[[nodiscard]] const metric_value* find_metric(const loaded_point& point, std::string_view name);

}  // namespace results
