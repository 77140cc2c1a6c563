#include "results/store_error.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>

namespace results {
namespace {

constexpr std::array<std::string_view, store_fault_count> fault_names = {
    "not_found",    "cannot_open", "not_a_database", "foreign", "newer_schema",
    "older_schema", "corrupt",     "read_only",      "full",    "io",
    "busy",         "conflict",    "misuse"};

constexpr std::array<std::string_view, store_fault_count> hints = {
    "check the path, or run a workload first",
    "check that its directory exists and may be written",
    "give the path of an essbench database, or of a new file",
    "give the path of an essbench database, or of a new file",
    "use the essbench that wrote it, or another file",
    "open it once for writing, which brings it up to date",
    "restore a copy; `essbench export --damaged` gives what can still be read of a run",
    "make the file and its directory writable: SQLite keeps two more files beside it",
    "free some disk space and resume the run",
    "check the disk's space, quota and health, then resume the run",
    "wait for the other essbench to finish, or use another file",
    "keep the two in different databases, and compare them",
    "this is a bug in the caller"};

std::string line_of(const store_error::details& of) {
  return fmt::format("{}: cannot {}: {} (hint: {})", of.file.string(), of.doing, of.words, of.hint);
}

}  // namespace

std::string_view to_string(store_fault fault) { return fault_names.at(static_cast<std::size_t>(fault)); }

std::optional<store_fault> parse_store_fault(std::string_view name) {
  const auto at = std::ranges::find(fault_names, name);
  if (at == fault_names.end()) return std::nullopt;
  return static_cast<store_fault>(at - fault_names.begin());
}

store_error::store_error(details of) : std::runtime_error(line_of(of)), of_(std::move(of)) {}

store_fault fault_of_sqlite_code(int code) {
  switch (code & 0xff) {  // the low byte of an extended code is the plain one
    case SQLITE_NOTADB:
      return store_fault::not_a_database;
    case SQLITE_CORRUPT:
      return store_fault::corrupt;
    case SQLITE_READONLY:
      return store_fault::read_only;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return store_fault::cannot_open;
    case SQLITE_FULL:
      return store_fault::full;
    case SQLITE_IOERR:
      return store_fault::io;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return store_fault::busy;
    default:
      return store_fault::misuse;
  }
}

std::string_view hint_for(store_fault fault) { return hints.at(static_cast<std::size_t>(fault)); }

}  // namespace results
