// The rows of one run, from the attached database `source` into `main`. Internal to the import: throws what
// SQLite throws, and `contradiction`.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <stdexcept>

#include "results/import/import_report.h"

namespace results {

// Two histories that exclude each other; says which, for people.
class contradiction : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Numbers of a row in both databases.
struct row_pair {
  std::int64_t source;
  std::int64_t main;
};

class merged_rows {
 public:
  merged_rows(SQLite::Database& db, import_report& report) : db_(db), report_(report) {}

  // Returns the run's number in `main`, and whether anything was new.
  struct merged_run {
    std::int64_t number;
    bool grown;
  };
  merged_run merge_run(std::int64_t source_run);

 private:
  std::int64_t find_or_insert_run(std::int64_t source_run);
  void insert_workload(std::int64_t source_run);
  void check_same_run(row_pair run);
  void merge_points(row_pair run);
  std::int64_t find_or_insert_point(std::int64_t source_point, std::int64_t main_run);
  void merge_attempts(row_pair point, std::int64_t main_run);
  void check_same_attempt(row_pair attempt);
  void add_missing_profile(row_pair attempt);
  void copy_attempt(std::int64_t source_attempt, std::int64_t main_point, std::int64_t main_run);
  int merge_events(row_pair run);
  void merge_imports(row_pair run);

  SQLite::Database& db_;
  import_report& report_;
};

}  // namespace results
