#include <SQLiteCpp/SQLiteCpp.h>

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

}  // namespace
}  // namespace results
