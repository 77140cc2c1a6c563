// Workload files: strict JSON to checked, fully expanded points.
//
//   defaults < file < --set        the grid: every field given as a list is an axis, and axes multiply in the
//                                  order of the table of fields (JSON objects have no order of their own)
//   overrides[system]              on top, for that system's points; an axis set here is not multiplied
//   extra_points[].set             on top of that, for a labelled point outside the grid; it is repeated over
//                                  the axes that it does not set
//
// --set beats the file wherever the file sets that path, overrides included; an extra point alone keeps the
// paths that define it ("uncapped" stays uncapped under --set device_budget_bytes=...).
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/error.h"
#include "workloads/settings.h"

namespace workloads {

struct spec_options {
  std::vector<std::string> set = {};      // "path=value"; the value is JSON, or a bare word
  std::vector<system_kind> systems = {};  // keep only points of these; empty: all
};

struct point {
  std::string label;        // "ess", "ess batch=4", "uncapped"; unique in a workload
  std::string extra_label;  // of the extra point that this one came from; empty: of the grid
  settings requested;
  // For batch "max:SYSTEM": the settings whose largest batch is meant. They are this point's with that
  // system, its overrides, and the budgets of the grid, even where an extra point lifts the budget.
  std::optional<settings> batch_of = std::nullopt;
  std::string id;  // 16 hexadecimal digits of SHA-256 over all settings above
};

// Names points: those of the grid with this system, or those of the extra point with this label.
struct point_selector {
  std::optional<system_kind> system = std::nullopt;
  std::string label = {};
  std::optional<int> batch = std::nullopt;  // only points that ran with this many requests
};
// Without regard to `batch`, which may be known only after planning.
[[nodiscard]] bool selects(const point_selector& selector, const point& candidate);

struct expectation {
  point_selector of;
  std::string metric;
  std::optional<double> min = std::nullopt;
  std::optional<double> max = std::nullopt;
};

struct published_value {
  point_selector of;
  std::string metric;
  double value = 0.0;
  std::string unit;
  std::string source;
  std::string calibrates = {};  // the figure that was chosen so that this value is met; empty: none was
};

struct workload {
  std::string name;
  std::string description;
  workload_kind kind = workload_kind::fixed;
  std::filesystem::path file;          // where it was read; requests.trace may be relative to its folder
  std::vector<std::string> set_paths;  // that --set changed: expectations of the file may no longer hold
  std::vector<point> points;
  std::vector<expectation> expectations;
  std::vector<published_value> published;
  std::string
      resolved_json;  // canonical: sorted keys, every field, no white space; parses to the same workload
  std::string hash;   // SHA-256 of resolved_json: the identity
};

// `file` is only named in errors.
[[nodiscard]] result<workload> parse_workload(std::string_view text, std::string_view file,
                                              const spec_options& options = {});
[[nodiscard]] result<workload> load_workload(const std::filesystem::path& file,
                                             const spec_options& options = {});

// The bytes of a regular file.
[[nodiscard]] result<std::string> read_text(const std::filesystem::path& file);

}  // namespace workloads
