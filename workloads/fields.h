// The one table of what can be set: it drives parsing, --set, "did you mean", the resolved copy and the help.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "workloads/settings.h"

namespace workloads {

enum class value_type : std::uint8_t { boolean, integer, number, text, choice, batch };
enum class matters_for : std::uint8_t { both, fixed, serve };

struct value_range {
  double min = 0.0;
  double max = std::numeric_limits<double>::infinity();
  bool above_min = false;  // min itself is outside
};

struct field {
  std::string_view path;
  value_type type;
  std::string_view unit;  // empty: none
  value_range range;
  matters_for kinds;
  std::string_view alternative;               // the path that a value here replaces; empty: none
  std::span<const std::string_view> choices;  // of a `choice`
  std::string_view help;
  nlohmann::json (*get)(const settings&);               // null where the field has no value
  void (*set)(settings&, const nlohmann::json& value);  // a value that normalise() returned, or null
};

[[nodiscard]] std::span<const field> fields();
[[nodiscard]] const field* find_field(std::string_view path);
[[nodiscard]] bool matters(const field& of, workload_kind kind);

// The value in the form in which it is stored and compared (135e6 -> 135000000 for an integer).
// The error is what to say after the path: "is -3, but must be at least 1", and a hint.
struct complaint {
  std::string what;
  std::string hint = {};
};
[[nodiscard]] std::optional<complaint> normalise(const field& of, nlohmann::json& value);

[[nodiscard]] std::string interval_text(const value_range& range);  // "at least 1", "above 0", "in (0, 1]"
[[nodiscard]] std::string range_text(const field& of);              // the same, or "one of: lru"

// A table for people: path, type, unit, range, default, meaning.
[[nodiscard]] std::string describe_fields();

}  // namespace workloads
