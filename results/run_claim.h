// Who is working on a run. Two processes that resume the same run would each do all points that are left.
//
// A claim is a lock on one byte of a file beside the database, FILE-claims; which byte follows from the run's
// id. The kernel lets go of it when the process ends, however it ends, so there are no stale claims. The file
// is empty and stays. (A lock on the database itself would not do: SQLite's own are lost when a second
// descriptor is closed.)
#pragma once

#include <filesystem>
#include <string_view>

namespace results {

class run_claim {
 public:
  // Throws store_error: busy where another process works on the run. Where the file system has no locks,
  // nothing is claimed.
  run_claim(const std::filesystem::path& database, std::string_view run_id);
  run_claim(const run_claim&) = delete;
  run_claim& operator=(const run_claim&) = delete;
  ~run_claim();

 private:
  int file_;
};

}  // namespace results
