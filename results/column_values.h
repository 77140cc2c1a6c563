// What columns of the database hold, as values of ours; a store_error for what is none. Internal to the
// store.
#pragma once

#include <string>
#include <string_view>

#include "results/connection.h"
#include "results/record.h"

namespace results {

[[noreturn]] void raise_unreadable(const connection& c, std::string_view what, std::string_view value);
[[nodiscard]] attempt_status status_in(const connection& c, const std::string& name);
[[nodiscard]] utc_time time_in(const connection& c, const std::string& text);
[[nodiscard]] nlohmann::json json_in(const connection& c, const std::string& text);
[[nodiscard]] nlohmann::json object_in(const connection& c, const std::string& text);
[[nodiscard]] double number_in(const SQLite::Column& column);

}  // namespace results
