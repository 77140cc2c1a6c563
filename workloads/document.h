// A workload file after reading and checking, before its axes are multiplied.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/fields.h"
#include "workloads/json_document.h"
#include "workloads/spec.h"

namespace workloads {

// The values given for one field: several make an axis, and [x] is the same as x.
struct given {
  std::vector<nlohmann::json> values;
  int line = 0;
  std::string file;
};
using layer = std::map<std::string, given, std::less<>>;  // by path

// Puts `value` in; it replaces the path's value and that of its alternative.
void put(layer& into, const field& of, given value);
void erase_with_alternative(layer& from, const field& of);
[[nodiscard]] bool gives_path_or_alternative(const layer& in, const field& of);

struct extra_point {
  std::string label;
  layer set;
  int line = 0;
};

struct document {
  std::string file;
  std::string name;
  std::string description;
  workload_kind kind = workload_kind::fixed;
  layer base;  // with defaults and --set; `system` is here too
  std::vector<layer> exclude;
  std::map<system_kind, layer> overrides;
  std::vector<extra_point> extra_points;
  std::vector<expectation> expectations;
  std::vector<published_value> published;
};

using failure = std::optional<spec_error>;

[[nodiscard]] result<document> read_document(std::string_view text, std::string_view file,
                                             const spec_options& options);
[[nodiscard]] result<std::vector<point>> expand(const document& from);
// Itself a workload file: sorted keys, every field, one line.
[[nodiscard]] std::string canonical_json(const document& of);

}  // namespace workloads
