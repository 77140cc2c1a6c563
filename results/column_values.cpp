#include "results/column_values.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "results/shallow_json.h"

namespace results {

void raise_unreadable(const connection& c, std::string_view what, std::string_view value) {
  constexpr std::size_t most_shown = 80;
  c.raise("read", store_fault::corrupt,
          fmt::format("'{}{}' is no {}", value.substr(0, most_shown), value.size() > most_shown ? "..." : "",
                      what));
}

attempt_status status_in(const connection& c, const std::string& name) {
  const auto status = parse_attempt_status(name);
  if (!status) raise_unreadable(c, "attempt status", name);
  return *status;
}

utc_time time_in(const connection& c, const std::string& text) {
  const auto at = parse_iso8601(text);
  if (!at) raise_unreadable(c, "time", text);
  return *at;
}

nlohmann::json json_in(const connection& c, const std::string& text) {
  auto value = parse_shallow_json(text);
  if (!value) raise_unreadable(c, "JSON of ours", text);
  return *std::move(value);
}

nlohmann::json object_in(const connection& c, const std::string& text) {
  auto value = json_in(c, text);
  if (!value.is_object()) raise_unreadable(c, "JSON object", text);
  return value;
}

double number_in(const SQLite::Column& column) {
  return column.isNull() ? std::numeric_limits<double>::quiet_NaN() : column.getDouble();
}

}  // namespace results
