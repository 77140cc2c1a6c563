// Statements of one line. Internal to the store: they throw what SQLite throws.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>
#include <SQLiteCpp/VariadicBind.h>

#include <cstdint>
#include <optional>

namespace results {

// Returns how many rows it changed.
template <typename Sql, typename... Args>
int execute(SQLite::Database& db, const Sql& sql, const Args&... args) {
  SQLite::Statement statement(db, sql);
  SQLite::bind(statement, args...);
  return statement.exec();
}

// The first column of the first row.
template <typename Sql, typename... Args>
std::optional<std::int64_t> find_number(SQLite::Database& db, const Sql& sql, const Args&... args) {
  SQLite::Statement statement(db, sql);
  SQLite::bind(statement, args...);
  if (!statement.executeStep()) return std::nullopt;
  return statement.getColumn(0).getInt64();
}

}  // namespace results
