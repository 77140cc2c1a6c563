#include "results/import/source_copy.h"

#include <SQLiteCpp/Backup.h>

#include <cstdlib>
#include <system_error>

#include "results/reading.h"

namespace results {
namespace {

namespace fs = std::filesystem;

// The error of a copy is one of its source; so is what it lacks.
[[noreturn]] void raise_of_source(const fs::path& source, const store_error& broken) {
  const store_fault fault = broken.fault() == store_fault::misuse ? store_fault::corrupt : broken.fault();
  throw store_error({.fault = fault,
                     .file = source,
                     .doing = "import",
                     .words = broken.words(),
                     .hint = std::string(hint_for(fault))});
}

// One step, so one read transaction: a consistent picture, also while somebody writes.
void copy_database(SQLite::Database& from, const fs::path& to) {
  SQLite::Database copy(to.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  SQLite::Backup backup(copy, from);
  backup.executeStep();
}

// Everything that a reader of the destination would meet; samples are numbers and cannot be wrong.
void read_all(connection& c) {
  for (const run_summary& summary : read_runs(c)) {
    if (!read_run(c, summary.run.id, load_detail::without_samples)) {
      c.raise("import", store_fault::corrupt, "a run cannot be found by its id");
    }
  }
  // Read by their run, copied by their attempt.
  const int strayed = c.db()
                          .execAndGet("SELECT count(*) FROM event e JOIN attempt a ON a.number = e.attempt "
                                      "JOIN point p ON p.number = a.point WHERE e.run IS NOT p.run")
                          .getInt();
  if (strayed > 0) c.raise("import", store_fault::corrupt, "an event is of another run than its attempt");
}

}  // namespace

temporary_folder::temporary_folder() {
  std::string pattern = (fs::temp_directory_path() / "essbench-import-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw store_error({.fault = store_fault::cannot_open,
                       .file = pattern,
                       .doing = "make a temporary folder",
                       .words = std::generic_category().message(errno),
                       .hint = "set TMPDIR to a folder that may be written"});
  }
  path_ = pattern;
}

temporary_folder::~temporary_folder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

source_copy::source_copy(const fs::path& source) : file_(folder_.path() / "copy.db") {
  try {
    connection from(source, {.mode = open_mode::copy_from});
    from.guarded("import", [&] {
      copy_database(from.db(), file_);
      schema_version_ = SQLite::Database(file_.string()).execAndGet("PRAGMA user_version").getInt();
    });
    connection copy(file_, {.mode = open_mode::existing});
    copy.guarded("import", [&] { read_all(copy); });
  } catch (const store_error& broken) {
    raise_of_source(source, broken);
  }
}

}  // namespace results
