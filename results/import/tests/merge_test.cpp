#include "results/import/merge.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>

#include "results/store.h"
#include "results/tests/scratch.h"
#include "results/tests/version_1_file.h"

namespace results {
namespace {

using testing::a_point;
using testing::a_run;
using testing::a_time;
using testing::a_workload;
using testing::an_attempt;
using testing::an_environment;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::scratch_folder;

namespace fs = std::filesystem;

import_report merge(const fs::path& from, const fs::path& into) {
  return merge_database(from, {.into = into, .essbench_version = "9.9", .at = a_time(100)});
}

std::optional<store_error> error_of_merging(const fs::path& from, const fs::path& into) {
  try {
    merge(from, into);
  } catch (const store_error& e) {
    return e;
  }
  return std::nullopt;
}

void expect_refusal(store_fault fault, const fs::path& from, const fs::path& into) {
  const auto error = error_of_merging(from, into);
  ASSERT_TRUE(error) << "no error, wanted " << to_string(fault);
  EXPECT_EQ(to_string(error->fault()), to_string(fault)) << error->what();
  EXPECT_EQ(error->file(), from);
  EXPECT_THAT(error->what(), HasSubstr(error->hint()));
}

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void sql(const fs::path& file, const std::string& text) {
  SQLite::Database(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec(text);
}

// All rows of all tables, without the numbers that a file gives them.
std::string rows_of(const fs::path& file) {
  SQLite::Database db(file.string());
  std::string all;
  for (const char* query :
       {"SELECT r.id, r.started_at, r.command_line, e.json, w.resolved_json FROM run r "
        "JOIN environment e ON e.number = r.environment JOIN workload w ON w.hash = r.workload ORDER BY 1",
        "SELECT r.id, p.identity, p.label, p.requested_json, p.effective_json FROM point p "
        "JOIN run r ON r.number = p.run ORDER BY 1, 2",
        "SELECT p.identity, a.status, a.reason, a.stop_reason, a.started_at, a.ended_at FROM attempt a "
        "JOIN point p ON p.number = a.point ORDER BY 1, a.number",
        "SELECT p.identity, t.* FROM sample t JOIN attempt a ON a.number = t.attempt JOIN point p ON "
        "p.number = a.point ORDER BY 1, a.number, 3, 4",
        "SELECT p.identity, t.* FROM metric t JOIN attempt a ON a.number = t.attempt JOIN point p ON "
        "p.number = a.point ORDER BY 1, a.number, 3",
        "SELECT p.identity, t.* FROM accuracy t JOIN attempt a ON a.number = t.attempt JOIN point p ON "
        "p.number = a.point ORDER BY 1, a.number, 3",
        "SELECT p.identity, t.* FROM series t JOIN attempt a ON a.number = t.attempt JOIN point p ON "
        "p.number = a.point ORDER BY 1, a.number, 3, 4",
        "SELECT p.identity, t.* FROM timeline t JOIN attempt a ON a.number = t.attempt JOIN point p ON "
        "p.number = a.point ORDER BY 1, a.number",
        "SELECT p.identity, t.* FROM profile t JOIN attempt a ON a.number = t.attempt JOIN point p ON "
        "p.number = a.point ORDER BY 1, a.number, 3",
        "SELECT r.id, e.attempt IS NULL, e.at, e.kind, e.detail FROM event e JOIN run r ON r.number = e.run "
        "ORDER BY 1, 2, 3, 4, 5"}) {
    SQLite::Statement row(db, query);
    while (row.executeStep()) {
      for (int i = 0; i < row.getColumnCount(); ++i) {
        if (std::string_view(row.getColumn(i).getName()) != "attempt")
          all += row.getColumn(i).getString() + "|";
      }
      all += "\n";
    }
    all += "--\n";
  }
  return all;
}

attempt_record a_full_attempt(int n = 4) {
  attempt_record made = an_attempt(n);
  made.accuracy["of_nothing"] = std::numeric_limits<double>::quiet_NaN();
  made.steps_timeline = {{.kind = "attend", .layer = 2, .seats = 4, .stream = "compute", .end_us = 1.0 / 3}};
  made.profiled = {{.operation = "attend", .layer = 2, .name = "", .count = 3, .cpu_us = 4.5}};
  return made;
}

// A run of points `labels`, each tried once.
void make_run(const fs::path& file, const std::string& id, const std::vector<std::string>& labels,
              int began = 0) {
  store s = store::open(file);
  run_record run = a_run(id);
  run.started_at = a_time(began);
  s.begin_run(run, an_environment(), a_workload());
  for (const std::string& label : labels) {
    s.register_point(id, a_point(label));
    s.record_attempt(id, label, a_full_attempt());
  }
}

TEST(merge, keeps_every_row) {
  const scratch_folder folder;
  make_run(folder / "a.db", "run-1", {"ess", "hisparse"});
  store::open(folder / "a.db").resume_run("run-1", {.at = a_time(5), .kind = "resumed", .detail = "again"});
  const import_report report = merge(folder / "a.db", folder / "all.db");
  EXPECT_EQ(report.source_version, "schema 4");
  EXPECT_EQ(report.runs, (import_count{.added = 1}));
  EXPECT_EQ(report.points, (import_count{.added = 2}));
  EXPECT_EQ(report.attempts, (import_count{.added = 2}));
  EXPECT_EQ(rows_of(folder / "all.db"), rows_of(folder / "a.db"));
  EXPECT_THAT(rows_of(folder / "all.db"), HasSubstr("resumed"));
}

TEST(merge, of_what_is_there_changes_nothing) {
  const scratch_folder folder;
  make_run(folder / "a.db", "run-1", {"ess"});
  merge(folder / "a.db", folder / "all.db");
  const std::string rows = rows_of(folder / "all.db");
  const import_report again = merge(folder / "a.db", folder / "all.db");
  EXPECT_EQ(again.runs, (import_count{.there = 1}));
  EXPECT_EQ(again.points, (import_count{.there = 1}));
  EXPECT_EQ(again.attempts, (import_count{.there = 1}));
  EXPECT_EQ(rows_of(folder / "all.db"), rows);
  EXPECT_EQ(store::open(folder / "all.db").load("run-1")->imports.size(), 1u);
}

TEST(merge, says_where_a_run_came_from) {
  const scratch_folder folder;
  make_run(folder / "a.db", "run-1", {"ess"});
  merge(folder / "a.db", folder / "all.db");
  store s = store::open(folder / "all.db");
  const auto run = s.load("run-1");
  ASSERT_EQ(run->imports.size(), 1u);
  const import_record& from = run->imports[0];
  EXPECT_EQ(from.at, a_time(100));
  EXPECT_EQ(from.kind, "essbench");
  EXPECT_EQ(from.file, (folder / "a.db").string());
  EXPECT_EQ(from.source_version, "schema 4");
  EXPECT_EQ(from.essbench_version, "9.9");
  EXPECT_EQ(from.env, an_environment());
  EXPECT_EQ(from.points, 1);
  EXPECT_EQ(from.attempts, 1);
  EXPECT_THAT(s.runs().at(0).imported_from, ElementsAre((folder / "a.db").string()));
}

// Two databases that import each other come to rest, and each knows all sources.
TEST(merge, passes_on_where_a_run_came_from) {
  const scratch_folder folder;
  make_run(folder / "a.db", "run-1", {"ess"});
  merge(folder / "a.db", folder / "b.db");
  merge(folder / "b.db", folder / "c.db");
  EXPECT_THAT(store::open(folder / "c.db").runs().at(0).imported_from,
              ElementsAre((folder / "a.db").string(), (folder / "b.db").string()));
  merge(folder / "c.db", folder / "b.db");
  merge(folder / "b.db", folder / "c.db");
  EXPECT_EQ(store::open(folder / "b.db").load("run-1")->imports.size(), 2u);
  EXPECT_EQ(store::open(folder / "c.db").load("run-1")->imports.size(), 2u);
}

TEST(merge, adds_what_a_run_has_done_since) {
  const scratch_folder folder;
  make_run(folder / "a.db", "run-1", {"ess"});
  merge(folder / "a.db", folder / "all.db");
  {
    store s = store::open(folder / "a.db");
    s.resume_run("run-1", {.at = a_time(50), .kind = "resumed", .detail = ""});
    s.record_attempt("run-1", "ess", an_attempt(9));
    s.register_point("run-1", a_point("hisparse"));
  }
  const import_report report = merge(folder / "a.db", folder / "all.db");
  EXPECT_EQ(report.runs, (import_count{.there = 1}));
  EXPECT_EQ(report.points, (import_count{.added = 1, .there = 1}));
  EXPECT_EQ(report.attempts, (import_count{.added = 1, .there = 1}));
  EXPECT_EQ(rows_of(folder / "all.db"), rows_of(folder / "a.db"));
  // The other way round, the shorter history is a beginning of the longer one.
  store::open(folder / "all.db").record_attempt("run-1", "hisparse", an_attempt(2));
  const std::string rows = rows_of(folder / "all.db");
  EXPECT_EQ(merge(folder / "a.db", folder / "all.db").attempts, (import_count{.there = 2}));
  EXPECT_EQ(rows_of(folder / "all.db"), rows);
}

TEST(merge, adds_the_profile_of_an_attempt_that_is_there) {
  const scratch_folder folder;
  make_run(folder / "a.db", "run-1", {});
  {
    store s = store::open(folder / "a.db");
    s.register_point("run-1", a_point("ess"));
    s.record_attempt("run-1", "ess", an_attempt());
  }
  merge(folder / "a.db", folder / "all.db");
  const std::string without = rows_of(folder / "all.db");
  store::open(folder / "a.db")
      .add_profiles("run-1", {{"ess", {{.operation = "step", .count = 7}}}},
                    {.at = a_time(7), .kind = "nsys", .env = an_environment()});
  EXPECT_EQ(merge(folder / "a.db", folder / "all.db").profiles.added, 1);
  EXPECT_EQ(rows_of(folder / "all.db"), rows_of(folder / "a.db"));
  EXPECT_EQ(merge(folder / "a.db", folder / "all.db").profiles.added, 0);
  sql(folder / "a.db", "UPDATE profile SET count = 8");
  expect_refusal(store_fault::conflict, folder / "a.db", folder / "all.db");
}

// One run id, points over several files, each begun at another moment on another machine.
class shards {
 public:
  explicit shards(const scratch_folder& folder) {
    for (int i = 0; i < 3; ++i) {
      files.push_back(folder / names[i]);
      store s = store::open(files.back());
      run_record run = a_run("sharded");
      run.started_at = a_time(10 - i);
      run.command_line = "essbench run quick --shard " + std::to_string(i + 1) + "/3";
      environment env = an_environment();
      env["system"]["host_hash"] = std::to_string(i);
      s.begin_run(run, env, a_workload());
      for (const std::string& label : {std::to_string(i), std::to_string(i + 3)}) {
        s.register_point("sharded", a_point(label));
        s.record_attempt("sharded", label, a_full_attempt(i + 1));
      }
    }
  }
  std::vector<fs::path> files;

 private:
  static constexpr std::array<const char*, 3> names = {"0.db", "1.db", "2.db"};
};

TEST(merge, makes_one_run_of_its_shards_in_whatever_order) {
  const scratch_folder folder;
  const shards of(folder);
  for (const int i : {0, 1, 2, 1}) merge(of.files[static_cast<std::size_t>(i)], folder / "up.db");
  for (const int i : {2, 0, 1, 0}) merge(of.files[static_cast<std::size_t>(i)], folder / "down.db");
  EXPECT_EQ(rows_of(folder / "up.db"), rows_of(folder / "down.db"));
  store s = store::open(folder / "up.db");
  ASSERT_EQ(s.runs().size(), 1u);
  const auto run = s.load("sharded");
  ASSERT_EQ(run->points.size(), 6u);
  for (const loaded_point& point : run->points) {
    EXPECT_EQ(point.attempts.size(), 1u);
    EXPECT_EQ(point.last()->samples.at("step_time_us").size(), std::stoul(point.point.label) % 3 + 1);
  }
  EXPECT_EQ(run->run.started_at, a_time(8));
  EXPECT_THAT(run->run.command_line, HasSubstr("--shard 3/3"));
  EXPECT_EQ(run->env["system"]["host_hash"], "2");
  ASSERT_EQ(run->imports.size(), 3u);
  EXPECT_EQ(run->imports[1].env["system"]["host_hash"], "1");
}

TEST(merge, orders_runs_by_their_begin) {
  const scratch_folder folder;
  make_run(folder / "late.db", "late", {"ess"}, 20);
  make_run(folder / "early.db", "early", {"ess"}, 10);
  merge(folder / "late.db", folder / "all.db");
  merge(folder / "early.db", folder / "all.db");
  store s = store::open(folder / "all.db");
  EXPECT_EQ(s.runs().at(0).run.id, "early");
  EXPECT_EQ(s.latest_run(), "late");
  EXPECT_EQ(s.latest_run("abc123"), "late");
}

struct quarrel {
  const char* name;
  const char* change;  // of a copy that has been imported
  const char* words;
};

class merge_conflict : public ::testing::TestWithParam<quarrel> {};

TEST_P(merge_conflict, is_refused_and_nothing_is_taken) {
  const scratch_folder folder;
  make_run(folder / "a.db", "run-1", {"ess"});
  merge(folder / "a.db", folder / "all.db");
  store::open(folder / "a.db").register_point("run-1", a_point("one_more"));
  // Without what is new the file would be refused all the same; with it, a partial import would show.
  make_run(folder / "a.db", "another", {"new"}, -10);
  sql(folder / "a.db", GetParam().change);
  const std::string rows = rows_of(folder / "all.db");
  expect_refusal(store_fault::conflict, folder / "a.db", folder / "all.db");
  EXPECT_THAT(error_of_merging(folder / "a.db", folder / "all.db")->what(), HasSubstr(GetParam().words));
  EXPECT_EQ(rows_of(folder / "all.db"), rows);
}

INSTANTIATE_TEST_SUITE_P(
    all, merge_conflict,
    ::testing::Values(
        quarrel{"workload",
                "PRAGMA foreign_keys = 0; UPDATE workload SET hash = 'other'; UPDATE run SET workload = "
                "'other'",
                "its run run-1 is of another workload"},
        quarrel{"build", "UPDATE run SET git_revision = 'f'", "another workload or build"},
        quarrel{"workload_text", "UPDATE workload SET resolved_json = '{}'", "workload 'abc123'"},
        quarrel{"settings", "UPDATE point SET effective_json = '{}'", "its point 'ess' has other settings"},
        quarrel{"status", "UPDATE attempt SET status = 'noisy'", "an attempt of its point 'ess'"},
        quarrel{"time", "UPDATE attempt SET ended_at = '2025-11-24T00:00:09.000Z'", "run went on in both"},
        quarrel{"sample", "UPDATE sample SET value = value + 1 WHERE position = 3", "an attempt"},
        quarrel{"fewer_samples", "DELETE FROM sample WHERE position = 3", "an attempt"},
        quarrel{"metric", "UPDATE metric SET n = n + 1", "an attempt"},
        quarrel{"accuracy", "UPDATE accuracy SET value = 5 WHERE value IS NULL", "an attempt"},
        quarrel{"series", "DELETE FROM series", "an attempt"},
        quarrel{"timeline", "DELETE FROM timeline", "an attempt"},
        quarrel{"event", "UPDATE event SET detail = 'otherwise'", "an attempt"}),
    [](const auto& of) { return of.param.name; });

TEST(merge, refuses_two_continuations_of_one_run) {
  const scratch_folder folder;
  make_run(folder / "a.db", "run-1", {"ess"});
  merge(folder / "a.db", folder / "all.db");
  store::open(folder / "a.db").record_attempt("run-1", "ess", an_attempt(5));
  store::open(folder / "all.db").record_attempt("run-1", "ess", an_attempt(6));
  expect_refusal(store_fault::conflict, folder / "a.db", folder / "all.db");
}

TEST(merge, reads_a_source_of_the_first_schema_and_leaves_it_so) {
  const scratch_folder folder;
  sql(folder / "old.db", testing::version_1_file);
  const std::string before = bytes_of(folder / "old.db");
  EXPECT_EQ(merge(folder / "old.db", folder / "all.db").source_version, "schema 1");
  EXPECT_EQ(bytes_of(folder / "old.db"), before);
  const auto run = store::open(folder / "all.db").load("old-run");
  ASSERT_TRUE(run);
  EXPECT_EQ(run->points.at(0).last()->samples.at("step_time_us"), std::vector<double>{5.0});
  EXPECT_EQ(run->imports.at(0).source_version, "schema 1");
  EXPECT_EQ(merge(folder / "old.db", folder / "all.db").attempts, (import_count{.there = 1}));
}

TEST(merge, leaves_a_source_in_a_folder_without_write_permission_as_it_is) {
  const scratch_folder folder;
  const fs::path locked = folder / "locked";
  fs::create_directory(locked);
  make_run(locked / "a.db", "run-1", {"ess"});
  const std::string before = bytes_of(locked / "a.db");
  fs::permissions(locked, static_cast<fs::perms>(0555));
  fs::permissions(folder.path(), fs::perms::all);
  const bool is_root = ::geteuid() == 0;
  ASSERT_TRUE(!is_root || ::seteuid(65534) == 0);
  const auto error = error_of_merging(locked / "a.db", folder / "all.db");
  const std::vector<fs::path> files(fs::directory_iterator(locked), {});
  ASSERT_TRUE(!is_root || ::seteuid(0) == 0);
  EXPECT_FALSE(error) << error->what();
  EXPECT_EQ(files.size(), 1u);
  EXPECT_EQ(bytes_of(locked / "a.db"), before);
  fs::permissions(locked, fs::perms::owner_all);
}

TEST(merge, sees_only_what_a_live_writer_has_committed) {
  const scratch_folder folder;
  make_run(folder / "a.db", "run-1", {"ess"});
  SQLite::Database writer((folder / "a.db").string(), SQLite::OPEN_READWRITE);
  SQLite::Transaction open(writer, SQLite::TransactionBehavior::IMMEDIATE);
  writer.exec("UPDATE attempt SET status = 'error'");
  EXPECT_EQ(merge(folder / "a.db", folder / "all.db").attempts, (import_count{.added = 1}));
  EXPECT_EQ(store::open(folder / "all.db").load("run-1")->points.at(0).last()->status, attempt_status::ok);
}

TEST(merge, refuses_what_is_no_sound_database_of_essbench) {
  const scratch_folder folder;
  make_run(folder / "all.db", "kept", {"ess"});
  const std::string rows = rows_of(folder / "all.db");
  std::ofstream(folder / "text.db") << "this is no database, whatever its name says; it is long enough";
  expect_refusal(store_fault::not_a_database, folder / "text.db", folder / "all.db");
  std::ofstream(folder / "empty.db");
  expect_refusal(store_fault::foreign, folder / "empty.db", folder / "all.db");
  sql(folder / "foreign.db", "CREATE TABLE bookmarks (url TEXT); PRAGMA user_version = 1");
  expect_refusal(store_fault::foreign, folder / "foreign.db", folder / "all.db");
  expect_refusal(store_fault::not_found, folder / "absent.db", folder / "all.db");
  make_run(folder / "newer.db", "run-1", {"ess"});
  sql(folder / "newer.db", "PRAGMA user_version = 99");
  expect_refusal(store_fault::newer_schema, folder / "newer.db", folder / "all.db");
  make_run(folder / "below.db", "run-1", {"ess"});
  sql(folder / "below.db", "PRAGMA user_version = -671088637");
  expect_refusal(store_fault::foreign, folder / "below.db", folder / "all.db");
  make_run(folder / "strayed.db", "run-1", {"ess"});
  sql(folder / "strayed.db",
      "PRAGMA foreign_keys = 0; INSERT INTO event (run, attempt, at, kind, detail) VALUES (99, 1, 'ok', 'a', "
      "'b')");
  expect_refusal(store_fault::corrupt, folder / "strayed.db", folder / "all.db");
  EXPECT_EQ(rows_of(folder / "all.db"), rows);
}

TEST(merge, refuses_itself_by_whatever_name) {
  const scratch_folder folder;
  make_run(folder / "a.db", "run-1", {"ess"});
  fs::create_symlink(folder / "a.db", folder / "b.db");
  expect_refusal(store_fault::misuse, folder / "a.db", folder / "a.db");
  expect_refusal(store_fault::misuse, folder / "b.db", folder / "a.db");
}

TEST(merge, does_not_make_a_database_for_a_source_that_it_refuses) {
  const scratch_folder folder;
  sql(folder / "foreign.db", "CREATE TABLE bookmarks (url TEXT)");
  expect_refusal(store_fault::foreign, folder / "foreign.db", folder / "all.db");
  EXPECT_FALSE(fs::exists(folder / "all.db"));
}

class merge_damage : public ::testing::TestWithParam<const char*> {};

// Rows that a store never writes, and that would make the destination unreadable.
TEST_P(merge_damage, in_the_source_stays_there) {
  const scratch_folder folder;
  make_run(folder / "all.db", "kept", {"ess"});
  const std::string rows = rows_of(folder / "all.db");
  make_run(folder / "a.db", "run-1", {"ess"});
  sql(folder / "a.db",
      std::string("PRAGMA foreign_keys = 0; PRAGMA ignore_check_constraints = 1; ") + GetParam());
  expect_refusal(store_fault::corrupt, folder / "a.db", folder / "all.db");
  EXPECT_EQ(rows_of(folder / "all.db"), rows);
}

INSTANTIATE_TEST_SUITE_P(
    all, merge_damage,
    ::testing::Values("UPDATE run SET started_at = 'yesterday'", "UPDATE attempt SET status = 'splendid'",
                      "UPDATE point SET requested_json = '{'", "UPDATE environment SET json = '{'",
                      "DELETE FROM environment", "UPDATE timeline SET operations_json = '7'",
                      "UPDATE event SET at = ''", "UPDATE profile SET activity = 'sleep'",
                      "DROP TABLE series", "ALTER TABLE run RENAME COLUMN git_dirty TO dirty",
                      "UPDATE run SET id = ''",
                      "DROP TABLE point; CREATE VIEW point AS SELECT 1 AS number, 1 AS run"));

}  // namespace
}  // namespace results
