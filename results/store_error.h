// The one exception of the store: a broken environment, or a misuse of the store.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace results {

enum class store_fault : std::uint8_t {
  not_found,       // no such file
  cannot_open,     // a directory, no permission, a missing parent directory
  not_a_database,  // some other kind of file
  foreign,         // a database, but not of essbench
  newer_schema,    // written by a newer essbench
  older_schema,    // needs a migration, and the store was opened for reading only
  corrupt,
  read_only,  // the file or its directory cannot be written
  full,       // disk full
  io,         // the operating system refused to read or write
  busy,       // another process held the lock for longer than the busy timeout
  conflict,   // two histories of one run that exclude each other
  misuse,     // unknown run or point, a record that the schema refuses
};
inline constexpr int store_fault_count = static_cast<int>(store_fault::misuse) + 1;

[[nodiscard]] std::string_view to_string(store_fault fault);
[[nodiscard]] std::optional<store_fault> parse_store_fault(std::string_view name);

class store_error : public std::runtime_error {
 public:
  struct details {
    store_fault fault;
    std::filesystem::path file;
    std::string doing;  // "open", "record attempt", ...
    std::string words;  // SQLite's, or ours where SQLite has none
    std::string hint;
  };
  // what() is one line: file, doing, words, hint.
  explicit store_error(details of);

  [[nodiscard]] store_fault fault() const { return of_.fault; }
  [[nodiscard]] const std::filesystem::path& file() const { return of_.file; }
  [[nodiscard]] const std::string& words() const { return of_.words; }
  [[nodiscard]] const std::string& hint() const { return of_.hint; }

 private:
  details of_;
};

// What a result code of SQLite (plain or extended) means here.
[[nodiscard]] store_fault fault_of_sqlite_code(int code);
// What a person can do about it.
[[nodiscard]] std::string_view hint_for(store_fault fault);

}  // namespace results
