#include "results/connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <thread>

#include "results/schema.h"

namespace results {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void raise_at(const fs::path& file, const char* doing, store_fault fault, std::string words) {
  throw store_error({.fault = fault,
                     .file = file,
                     .doing = doing,
                     .words = std::move(words),
                     .hint = std::string(hint_for(fault))});
}

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

// By the effective user, as opening does.
bool writable(const fs::path& path) { return ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0; }

[[noreturn]] void raise_translated(const fs::path& file, const char* doing, const SQLite::Exception& broken) {
  const int code = broken.getExtendedErrorCode() > 0 ? broken.getExtendedErrorCode() : broken.getErrorCode();
  store_fault fault = fault_of_sqlite_code(code);
  std::error_code ignored;
  if (fault == store_fault::cannot_open && fs::is_directory(folder_of(file), ignored) &&
      !writable(folder_of(file))) {
    fault = store_fault::read_only;  // no room for the -wal file
  }
  raise_at(file, doing, fault, broken.what());
}

// Where the -shm file of a database in WAL mode can be neither found nor made, SQLite reads it only as
// "immutable": right as long as nobody writes, and a folder that we cannot write to with no -wal file in it
// says that nobody does.
bool must_open_immutable(const fs::path& file) {
  fs::path wal = file;
  wal += "-wal";
  std::error_code ignored;
  return !writable(folder_of(file)) && !fs::exists(wal, ignored);
}

// As a URI: '?' and '#' of a path would start the query, '%' an escape.
std::string immutable_uri(const fs::path& file) {
  std::string uri = "file:";
  for (const char c : fs::absolute(file).string()) {
    if (c == '?' || c == '#' || c == '%') {
      uri += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

bool for_writing(open_mode mode) { return mode == open_mode::create || mode == open_mode::existing; }

bool unchecked(open_mode mode) { return mode == open_mode::copy_from || mode == open_mode::damaged; }

SQLite::Database open_file(const fs::path& file, const open_options& options) {
  std::error_code ignored;
  if (options.mode != open_mode::create && !fs::exists(file, ignored)) {
    raise_at(file, "open", store_fault::not_found, "no such file");
  }
  const int timeout = static_cast<int>(options.busy_timeout.count());
  try {
    if (!for_writing(options.mode)) {
      if (!must_open_immutable(file)) return {file.string(), SQLite::OPEN_READONLY, timeout};
      return {immutable_uri(file), SQLite::OPEN_READONLY | SQLite::OPEN_URI, timeout};
    }
    const int create = options.mode == open_mode::create ? SQLite::OPEN_CREATE : 0;
    return {file.string(), SQLite::OPEN_READWRITE | create, timeout};
  } catch (const SQLite::Exception& broken) {
    raise_translated(file, "open", broken);
  }
}

// Ours has neither views nor triggers. In a file from elsewhere a view in the place of a table, or a trigger
// on one, would run whatever query it holds, without end if it likes.
void distrust_schema(sqlite3* db) {
  for (const int feature :
       {SQLITE_DBCONFIG_ENABLE_VIEW, SQLITE_DBCONFIG_ENABLE_TRIGGER, SQLITE_DBCONFIG_TRUSTED_SCHEMA}) {
    sqlite3_db_config(db, feature, 0, nullptr);
  }
}

}  // namespace

connection::connection(fs::path file, const open_options& options)
    : file_(std::move(file)), options_(options), db_(open_file(file_, options)) {
  guarded("open", [&] {
    distrust_schema(db_.getHandle());
    db_.exec("PRAGMA foreign_keys = ON");
    check_whose();
    if (!unchecked(options_.mode)) check_integrity();
    if (for_writing(options_.mode)) prepare_for_writing();
  });
}

int connection::pragma(const char* name) { return db_.execAndGet(fmt::format("PRAGMA {}", name)).getInt(); }

// In one transaction: another process may be making the very same file.
connection::marks connection::read_marks() {
  const SQLite::Transaction reading(db_, SQLite::TransactionBehavior::DEFERRED);
  return {.version = pragma("user_version"),
          .application = pragma("application_id"),
          .empty = db_.execAndGet("SELECT count(*) FROM sqlite_master").getInt() == 0};
}

void connection::check_whose() {
  const auto [version, application, empty] = read_marks();
  if (version == 0 && empty && options_.mode == open_mode::create) return;
  if (version <= 0 || application != application_id) {
    raise("open", store_fault::foreign, "a SQLite database, but not one of essbench");
  }
  if (version > schema_version()) {
    raise("open", store_fault::newer_schema,
          fmt::format("its schema is version {}, this essbench knows up to {}", version, schema_version()));
  }
  if (version < schema_version() &&
      (options_.mode == open_mode::read_only || options_.mode == open_mode::damaged)) {
    raise("open", store_fault::older_schema,
          fmt::format("its schema is version {}, this essbench reads {}", version, schema_version()));
  }
}

// Before a run of hours is put behind pages that cannot be read. Reads the file once.
void connection::check_integrity() {
  const std::string verdict = db_.execAndGet("PRAGMA quick_check(1)").getString();
  if (verdict != "ok") raise("open", store_fault::corrupt, verdict);
}

void connection::prepare_for_writing() {
  // SQLite opens a file that it may not write to for reading, and says nothing.
  if (sqlite3_db_readonly(db_.getHandle(), "main") == 1) {
    raise("open", store_fault::read_only, "the file may not be written");
  }
  enter_wal_mode();
  // FULL, not NORMAL: in WAL mode NORMAL may lose the last commits when the power fails. A commit is an
  // attempt, seconds to minutes of machine time; one more fsync a commit costs milliseconds.
  db_.exec("PRAGMA synchronous = FULL");
  migrate();
}

// SQLite does not call the busy handler where two processes change the journal mode at once. Where the file
// system has no shared memory the mode stays as it was: slower, equally safe.
void connection::enter_wal_mode() {
  const auto deadline = std::chrono::steady_clock::now() + options_.busy_timeout;
  for (;;) {
    try {
      db_.execAndGet("PRAGMA journal_mode = WAL");
      return;
    } catch (const SQLite::Exception& broken) {
      if (broken.getErrorCode() != SQLITE_BUSY || std::chrono::steady_clock::now() > deadline) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void connection::migrate() {
  if (pragma("user_version") == schema_version()) return;
  in_transaction("migrate", [&] {
    // Read again under the lock: another process may have been faster.
    const int from = pragma("user_version");
    for (const char* step : migrations().subspan(static_cast<std::size_t>(from))) db_.exec(step);
    db_.exec(fmt::format("PRAGMA application_id = {}", application_id));
    db_.exec(fmt::format("PRAGMA user_version = {}", schema_version()));
  });
}

void connection::raise(const char* doing, store_fault fault, std::string words) const {
  raise_at(file_, doing, fault, std::move(words));
}

void connection::raise(const char* doing, const SQLite::Exception& broken) const {
  raise_translated(file_, doing, broken);
}

}  // namespace results
