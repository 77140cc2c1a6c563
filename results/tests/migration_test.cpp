#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <string>

#include "results/schema.h"
#include "results/store.h"
#include "results/tests/scratch.h"
#include "results/tests/version_1_file.h"

namespace results {
namespace {

using testing::a_point;
using testing::a_run;
using testing::a_workload;
using testing::an_attempt;
using testing::an_environment;
using testing::scratch_folder;
using testing::version_1_file;

void make(const std::filesystem::path& file, const std::string& sql) {
  SQLite::Database(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec(sql);
}

int number(const std::filesystem::path& file, const char* sql) {
  return SQLite::Database(file.string(), SQLite::OPEN_READWRITE).execAndGet(sql).getInt();
}

store_fault fault_of_opening(const std::filesystem::path& file, open_mode mode) {
  try {
    (void)store::open(file, {.mode = mode});
  } catch (const store_error& e) {
    EXPECT_EQ(e.file(), file);
    EXPECT_FALSE(e.hint().empty());
    return e.fault();
  }
  ADD_FAILURE() << "opened " << file;
  return store_fault::misuse;
}

TEST(migration, brings_version_1_up_to_date_and_keeps_what_is_in_it) {
  const scratch_folder folder;
  make(folder / "old.db", version_1_file);
  {
    store s = store::open(folder / "old.db", {.mode = open_mode::existing});
    const auto run = s.load("old-run");
    ASSERT_TRUE(run);
    const attempt_record& attempt = *run->points.at(0).last();
    EXPECT_EQ(attempt.samples.at("step_time_us"), std::vector<double>{5.0});
    EXPECT_EQ(attempt.stop_reason, "");
    s.record_attempt("old-run", "p", an_attempt());
    EXPECT_EQ(s.load("old-run")->points.at(0).last()->stop_reason, "max_samples");
  }
  EXPECT_EQ(number(folder / "old.db", "PRAGMA user_version"), schema_version());
  EXPECT_EQ(number(folder / "old.db",
                   "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND name = 'attempt_of_point'"),
            1);
}

// A migrated file and a new one have the same tables.
TEST(migration, ends_at_the_schema_of_a_new_file) {
  const scratch_folder folder;
  make(folder / "old.db", version_1_file);
  (void)store::open(folder / "old.db");
  (void)store::open(folder / "new.db");
  const auto columns = [](const std::filesystem::path& file) {
    SQLite::Database db(file.string());
    SQLite::Statement row(db,
                          "SELECT t.name, c.name, c.type, c.\"notnull\", c.pk FROM sqlite_master t "
                          "JOIN pragma_table_info(t.name) c ORDER BY 1, 2");
    std::string all;
    while (row.executeStep()) {
      for (int i = 0; i < row.getColumnCount(); ++i) all += row.getColumn(i).getString() + " ";
      all += "\n";
    }
    return all;
  };
  EXPECT_NE(columns(folder / "new.db").find("attempt stop_reason TEXT"), std::string::npos);
  EXPECT_EQ(columns(folder / "old.db"), columns(folder / "new.db"));
}

TEST(migration, does_not_happen_to_a_file_opened_for_reading) {
  const scratch_folder folder;
  make(folder / "old.db", version_1_file);
  EXPECT_EQ(fault_of_opening(folder / "old.db", open_mode::read_only), store_fault::older_schema);
  EXPECT_EQ(number(folder / "old.db", "PRAGMA user_version"), 1);
}

TEST(migration, that_fails_leaves_the_file_at_its_version) {
  const scratch_folder folder;
  make(folder / "old.db", version_1_file);
  make(folder / "old.db", "CREATE INDEX event_of_run ON event (at)");  // in the way of version 2
  EXPECT_THROW((void)store::open(folder / "old.db"), store_error);
  EXPECT_EQ(number(folder / "old.db", "PRAGMA user_version"), 1);
  EXPECT_EQ(number(folder / "old.db",
                   "SELECT count(*) FROM pragma_table_info('attempt') WHERE name = 'stop_reason'"),
            0);
}

TEST(migration, refuses_a_newer_schema_and_touches_nothing) {
  const scratch_folder folder;
  (void)store::open(folder / "r.db");
  make(folder / "r.db", "PRAGMA user_version = 99");
  for (const open_mode mode : {open_mode::create, open_mode::existing, open_mode::read_only}) {
    EXPECT_EQ(fault_of_opening(folder / "r.db", mode), store_fault::newer_schema);
  }
  EXPECT_EQ(number(folder / "r.db", "PRAGMA user_version"), 99);
}

TEST(migration, leaves_databases_of_other_programs_alone) {
  const scratch_folder folder;
  make(folder / "a.db", "CREATE TABLE bookmarks (url TEXT)");
  make(folder / "b.db", "CREATE TABLE bookmarks (url TEXT); PRAGMA user_version = 1");
  EXPECT_EQ(fault_of_opening(folder / "a.db", open_mode::create), store_fault::foreign);
  EXPECT_EQ(fault_of_opening(folder / "b.db", open_mode::create), store_fault::foreign);
  EXPECT_EQ(number(folder / "a.db", "SELECT count(*) FROM sqlite_master"), 1);
}

// What a process leaves that is killed between making the file and its tables.
TEST(migration, fills_an_empty_file) {
  const scratch_folder folder;
  make(folder / "r.db", "PRAGMA journal_mode = WAL");
  EXPECT_EQ(fault_of_opening(folder / "r.db", open_mode::existing), store_fault::foreign);
  store s = store::open(folder / "r.db");
  EXPECT_EQ(s.begin_run(a_run(), an_environment(), a_workload()), "run-1");
}

TEST(migration, a_new_file_is_in_wal_mode_with_foreign_keys_that_hold) {
  const scratch_folder folder;
  (void)store::open(folder / "r.db");
  SQLite::Database db((folder / "r.db").string(), SQLite::OPEN_READWRITE);
  EXPECT_EQ(db.execAndGet("PRAGMA journal_mode").getString(), "wal");
  EXPECT_EQ(db.execAndGet("SELECT count(*) FROM pragma_foreign_key_check").getInt(), 0);
  EXPECT_EQ(db.execAndGet("SELECT count(*) FROM pragma_foreign_key_list('attempt')").getInt(), 1);
}

// In a process that is killed when it opens databases: after so many instructions of SQLite.
int instructions_left = 0;

int kill_when_due(void*) {
  if (--instructions_left == 0) ::raise(SIGKILL);
  return 0;
}

int watch(sqlite3* db, const char**, const sqlite3_api_routines*) {
  sqlite3_progress_handler(db, 1, kill_when_due, nullptr);
  return SQLITE_OK;
}

// False: it had ended before.
bool open_and_die_after(int instructions, const std::filesystem::path& file) {
  const pid_t child = ::fork();
  if (child == 0) {
    instructions_left = instructions;
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(watch));
    (void)store::open(file);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status);
}

TEST(migration, that_is_killed_leaves_the_file_as_before_or_as_after) {
  const scratch_folder folder;
  make(folder / "old.db", version_1_file);
  std::set<int> versions;
  bool killed = true;
  for (int after = 1; killed; after += 1 + after / 40) {
    const auto file = folder / "killed.db";
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file.string() + suffix);
    std::filesystem::copy_file(folder / "old.db", file);
    killed = open_and_die_after(after, file);
    versions.insert(number(file, "PRAGMA user_version"));
    EXPECT_EQ(number(file, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
    store s = store::open(file);
    EXPECT_EQ(s.load("old-run")->points.at(0).last()->samples.at("step_time_us"), std::vector<double>{5.0});
  }
  EXPECT_EQ(versions, (std::set<int>{1, schema_version()}));
}

}  // namespace
}  // namespace results
