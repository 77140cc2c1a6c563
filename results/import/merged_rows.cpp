#include "results/import/merged_rows.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "results/sql.h"

namespace results {
namespace {

// A table of which an attempt has rows, and its columns besides the attempt.
struct part {
  const char* table;
  const char* columns;
};

constexpr std::array<part, 5> measured_parts = {{{"sample", "metric, position, value"},
                                                 {"metric", "name, median, lo, hi, n, unit"},
                                                 {"accuracy", "name, value"},
                                                 {"series", "name, position, value"},
                                                 {"timeline", "operations_json"}}};
constexpr part event_part = {"event", "at, kind, detail"};
constexpr part profile_part = {"profile",
                               "position, operation, layer, activity, name, count, cpu_us, gpu_us, bytes"};

constexpr const char* attempt_columns = "status, reason, stop_reason, started_at, ended_at";
constexpr const char* point_columns = "label, system, device, clock, requested_json, effective_json";

// 1 if the rows of two attempts are not the same.
std::string difference_of(const part& of) {
  return fmt::format(
      "SELECT EXISTS (SELECT {0} FROM source.{1} WHERE attempt = ?1 EXCEPT "
      "SELECT {0} FROM main.{1} WHERE attempt = ?2) OR "
      "EXISTS (SELECT {0} FROM main.{1} WHERE attempt = ?2 EXCEPT "
      "SELECT {0} FROM source.{1} WHERE attempt = ?1)",
      of.columns, of.table);
}

std::string copy_of(const part& of) {
  return fmt::format("INSERT INTO main.{0} (attempt, {1}) SELECT ?2, {1} FROM source.{0} WHERE attempt = ?1",
                     of.table, of.columns);
}

// 1 if two rows agree in `columns`.
std::string agreement_of(const char* table, const char* columns) {
  return fmt::format(
      "SELECT EXISTS (SELECT {0} FROM source.{1} WHERE number = ?1 INTERSECT "
      "SELECT {0} FROM main.{1} WHERE number = ?2)",
      columns, table);
}

std::vector<std::int64_t> numbers(SQLite::Database& db, const char* sql, std::int64_t of) {
  std::vector<std::int64_t> all;
  SQLite::Statement row(db, sql);
  row.bind(1, of);
  while (row.executeStep()) all.push_back(row.getColumn(0).getInt64());
  return all;
}

std::string text(SQLite::Database& db, const char* sql, std::int64_t of) {
  SQLite::Statement row(db, sql);
  row.bind(1, of);
  return row.executeStep() ? row.getColumn(0).getString() : "";
}

}  // namespace

merged_rows::merged_run merged_rows::merge_run(std::int64_t source_run) {
  const auto total = [this] {
    return report_.runs.added + report_.points.added + report_.attempts.added + report_.profiles.added;
  };
  const std::int64_t before = total();
  const row_pair run = {source_run, find_or_insert_run(source_run)};
  merge_points(run);
  const bool has_new_events = merge_events(run) > 0;
  merge_imports(run);
  return {.number = run.main, .grown = has_new_events || total() > before};
}

std::int64_t merged_rows::find_or_insert_run(std::int64_t source_run) {
  const auto there = find_number(
      db_, "SELECT m.number FROM main.run m JOIN source.run s ON s.id = m.id WHERE s.number = ?", source_run);
  execute(db_,
          "INSERT OR IGNORE INTO main.environment (json) SELECT e.json FROM source.environment e "
          "JOIN source.run r ON r.environment = e.number WHERE r.number = ?",
          source_run);
  insert_workload(source_run);
  ++(there ? report_.runs.there : report_.runs.added);
  if (there) {
    check_same_run({source_run, *there});
    return *there;
  }
  execute(
      db_,
      "INSERT INTO main.run (id, started_at, command_line, workload_name, essbench_version, git_revision, "
      "git_dirty, environment, workload) SELECT s.id, s.started_at, s.command_line, s.workload_name, "
      "s.essbench_version, s.git_revision, s.git_dirty, m.number, s.workload FROM source.run s "
      "JOIN source.environment e ON e.number = s.environment JOIN main.environment m ON m.json = e.json "
      "WHERE s.number = ?",
      source_run);
  return db_.getLastInsertRowid();
}

// The text that a hash is of is the hash's.
void merged_rows::insert_workload(std::int64_t source_run) {
  execute(db_,
          "INSERT OR IGNORE INTO main.workload (hash, name, resolved_json) "
          "SELECT w.hash, w.name, w.resolved_json FROM source.workload w "
          "JOIN source.run r ON r.workload = w.hash WHERE r.number = ?",
          source_run);
  const auto other =
      find_number(db_,
                  "SELECT 1 FROM source.run r JOIN source.workload s ON s.hash = r.workload JOIN "
                  "main.workload m ON m.hash = s.hash WHERE r.number = ? AND "
                  "m.resolved_json <> s.resolved_json",
                  source_run);
  if (!other) return;
  throw contradiction(
      fmt::format("its workload '{}' says something else than that with this hash that is there",
                  text(db_, "SELECT workload FROM source.run WHERE number = ?", source_run)));
}

// Shards of a run begin at different times and on different machines, but are of one workload and one build.
// The run is then as its first shard says, whichever is imported first.
void merged_rows::check_same_run(row_pair run) {
  static const std::string same =
      agreement_of("run", "workload, workload_name, essbench_version, git_revision, git_dirty");
  if (find_number(db_, same, run.source, run.main) != 1) {
    throw contradiction(fmt::format(
        "its run {} is of another workload or build than the run with this id that is there already",
        text(db_, "SELECT id FROM source.run WHERE number = ?", run.source)));
  }
  execute(
      db_,
      "UPDATE main.run SET (started_at, command_line, environment) = (SELECT s.started_at, s.command_line, "
      "m.number FROM source.run s JOIN source.environment e ON e.number = s.environment "
      "JOIN main.environment m ON m.json = e.json WHERE s.number = ?1) WHERE number = ?2 AND "
      "(started_at, command_line) > (SELECT started_at, command_line FROM source.run WHERE number = ?1)",
      run.source, run.main);
}

void merged_rows::merge_points(row_pair run) {
  for (const std::int64_t point :
       numbers(db_, "SELECT number FROM source.point WHERE run = ? ORDER BY number", run.source)) {
    merge_attempts({point, find_or_insert_point(point, run.main)}, run.main);
  }
}

std::int64_t merged_rows::find_or_insert_point(std::int64_t source_point, std::int64_t main_run) {
  static const std::string same = agreement_of("point", point_columns);
  static const std::string copy = fmt::format(
      "INSERT INTO main.point (run, identity, {0}) SELECT ?2, identity, {0} FROM source.point WHERE number = "
      "?1",
      point_columns);
  const auto there = find_number(db_,
                                 "SELECT m.number FROM main.point m JOIN source.point s ON "
                                 "s.identity = m.identity WHERE s.number = ?1 AND m.run = ?2",
                                 source_point, main_run);
  ++(there ? report_.points.there : report_.points.added);
  if (!there) {
    execute(db_, copy, source_point, main_run);
    return db_.getLastInsertRowid();
  }
  if (find_number(db_, same, source_point, *there) != 1) {
    throw contradiction(fmt::format(
        "its point '{}' has other settings than the point with this identity that is there already",
        text(db_, "SELECT label FROM source.point WHERE number = ?", source_point)));
  }
  return *there;
}

// Histories only grow, so one is the beginning of the other.
void merged_rows::merge_attempts(row_pair point, std::int64_t main_run) {
  const auto theirs =
      numbers(db_, "SELECT number FROM source.attempt WHERE point = ? AND status IS NOT NULL ORDER BY number",
              point.source);
  const auto ours =
      numbers(db_, "SELECT number FROM main.attempt WHERE point = ? AND status IS NOT NULL ORDER BY number",
              point.main);
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    if (i < ours.size()) {
      check_same_attempt({theirs[i], ours[i]});
      add_missing_profile({theirs[i], ours[i]});
      ++report_.attempts.there;
    } else {
      copy_attempt(theirs[i], point.main, main_run);
      ++report_.attempts.added;
    }
  }
}

void merged_rows::check_same_attempt(row_pair attempt) {
  static const std::string same = agreement_of("attempt", attempt_columns);
  bool differs = find_number(db_, same, attempt.source, attempt.main) != 1;
  for (const part& of : measured_parts) {
    differs = differs || find_number(db_, difference_of(of), attempt.source, attempt.main) != 0;
  }
  if (differs || find_number(db_, difference_of(event_part), attempt.source, attempt.main) != 0) {
    throw contradiction(fmt::format(
        "an attempt of its point '{}', of {}, is another than that which is there already; attempts are only "
        "ever added, so one of the files was changed or the run went on in both",
        text(db_,
             "SELECT p.label FROM source.point p JOIN source.attempt a ON a.point = p.number WHERE a.number "
             "= ?",
             attempt.source),
        text(db_, "SELECT started_at FROM source.attempt WHERE number = ?", attempt.source)));
  }
}

// A profile comes after its attempt.
void merged_rows::add_missing_profile(row_pair attempt) {
  const auto rows = [&](const char* sql, std::int64_t of) { return find_number(db_, sql, of).value_or(0); };
  if (rows("SELECT count(*) FROM source.profile WHERE attempt = ?", attempt.source) == 0) return;
  if (rows("SELECT count(*) FROM main.profile WHERE attempt = ?", attempt.main) == 0) {
    execute(db_, copy_of(profile_part), attempt.source, attempt.main);
    ++report_.profiles.added;
  } else if (find_number(db_, difference_of(profile_part), attempt.source, attempt.main) != 0) {
    throw contradiction("an attempt of it has another profile than that which is there already");
  }
}

void merged_rows::copy_attempt(std::int64_t source_attempt, std::int64_t main_point, std::int64_t main_run) {
  static const std::string row = fmt::format(
      "INSERT INTO main.attempt (point, {0}) SELECT ?2, {0} FROM source.attempt WHERE number = ?1",
      attempt_columns);
  execute(db_, row, source_attempt, main_point);
  const std::int64_t made = db_.getLastInsertRowid();
  for (const part& of : measured_parts) execute(db_, copy_of(of), source_attempt, made);
  execute(db_, copy_of(profile_part), source_attempt, made);
  execute(db_,
          "INSERT INTO main.event (run, attempt, at, kind, detail) SELECT ?3, ?2, at, kind, detail "
          "FROM source.event WHERE attempt = ?1 ORDER BY number",
          source_attempt, made, main_run);
}

int merged_rows::merge_events(row_pair run) {
  return execute(
      db_,
      "INSERT INTO main.event (run, at, kind, detail) SELECT ?2, at, kind, detail FROM source.event s "
      "WHERE run = ?1 AND attempt IS NULL AND NOT EXISTS (SELECT 1 FROM main.event m WHERE m.run = ?2 "
      "AND m.attempt IS NULL AND (m.at, m.kind, m.detail) = (s.at, s.kind, s.detail)) ORDER BY number",
      run.source, run.main);
}

void merged_rows::merge_imports(row_pair run) {
  execute(db_,
          "INSERT OR IGNORE INTO main.environment (json) SELECT e.json FROM source.environment e "
          "JOIN source.import i ON i.environment = e.number WHERE i.run = ?",
          run.source);
  execute(
      db_,
      "INSERT INTO main.import (run, at, kind, file, source_version, essbench_version, environment, points, "
      "attempts, note) SELECT ?2, s.at, s.kind, s.file, s.source_version, s.essbench_version, x.number, "
      "s.points, s.attempts, s.note FROM source.import s JOIN source.environment e ON e.number = "
      "s.environment "
      "JOIN main.environment x ON x.json = e.json WHERE s.run = ?1 AND NOT EXISTS (SELECT 1 FROM main.import "
      "m "
      "WHERE m.run = ?2 AND (m.at, m.kind, m.file) = (s.at, s.kind, s.file)) ORDER BY s.number",
      run.source, run.main);
}

}  // namespace results
