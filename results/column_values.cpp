#include "results/column_values.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace results {

void raise_unreadable(const connection& c, std::string_view what, std::string_view value) {
  c.raise("read", store_fault::corrupt, fmt::format("'{}' is no {}", value, what));
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
  auto value = nlohmann::json::parse(text, nullptr, false);
  if (value.is_discarded()) raise_unreadable(c, "JSON", text);
  return value;
}

double number_in(const SQLite::Column& column) {
  return column.isNull() ? std::numeric_limits<double>::quiet_NaN() : column.getDouble();
}

}  // namespace results
