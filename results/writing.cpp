#include "results/writing.h"

#include <fmt/format.h>

#include "results/sql.h"

namespace results {
namespace {

std::string text_of(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::int64_t number_of_environment(SQLite::Database& db, const environment& env) {
  const std::string machine = text_of(env);
  execute(db, "INSERT OR IGNORE INTO environment (json) VALUES (?)", machine);
  return find_number(db, "SELECT number FROM environment WHERE json = ?", machine).value();
}

using lists = std::map<std::string, std::vector<double>>;

// `sql`: attempt, name, position, value.
void insert_lists(SQLite::Database& db, const char* sql, std::int64_t attempt, const lists& of) {
  SQLite::Statement insert(db, sql);
  for (const auto& [name, values] : of) {
    std::int64_t position = 0;
    for (const double value : values) {
      SQLite::bind(insert, attempt, name, position++, value);
      insert.exec();
      insert.reset();
    }
  }
}

void insert_timeline(SQLite::Database& db, std::int64_t attempt, const timeline& of) {
  if (of.empty()) return;
  nlohmann::json operations = nlohmann::json::array();
  for (const timeline_operation& op : of) {
    operations.push_back(
        {op.kind, op.layer, op.first_seat, op.seats, op.stream, op.on_link, op.start_us, op.end_us});
  }
  execute(db, "INSERT INTO timeline (attempt, operations_json) VALUES (?, ?)", attempt, text_of(operations));
}

void insert_metrics(SQLite::Database& db, std::int64_t attempt, const attempt_record& of) {
  for (const auto& [name, value] : of.metrics) {
    execute(db, "INSERT INTO metric (attempt, name, median, lo, hi, n, unit) VALUES (?, ?, ?, ?, ?, ?, ?)",
            attempt, name, value.median, value.lo, value.hi, value.n, value.unit);
  }
  for (const auto& [name, value] : of.accuracy) {
    execute(db, "INSERT INTO accuracy (attempt, name, value) VALUES (?, ?, ?)", attempt, name, value);
  }
}

void insert_events(SQLite::Database& db, std::int64_t run, std::int64_t attempt, const attempt_record& of) {
  for (const event_record& event : of.events) {
    execute(db, "INSERT INTO event (run, attempt, at, kind, detail) VALUES (?, ?, ?, ?, ?)", run, attempt,
            to_iso8601(event.at), event.kind, event.detail);
  }
}

// A wrong result has no time.
std::string objection_to(const attempt_record& attempt) {
  if (attempt.status != attempt_status::incorrect) return {};
  if (!attempt.samples.empty()) return "an incorrect attempt holds samples";
  if (!attempt.steps_timeline.empty()) return "an incorrect attempt holds a timeline";
  if (!attempt.profiled.empty()) return "an incorrect attempt holds a profile";
  for (const auto& [name, value] : attempt.metrics) {
    if (is_time_unit(value.unit)) return fmt::format("an incorrect attempt holds a time, '{}'", name);
  }
  return {};
}

}  // namespace

std::int64_t number_of_run(connection& c, const char* doing, std::string_view run_id) {
  const auto number = find_number(c.db(), "SELECT number FROM run WHERE id = ?", std::string(run_id));
  if (!number) c.raise(doing, store_fault::misuse, fmt::format("no run '{}'", run_id));
  return *number;
}

std::int64_t number_of_point(connection& c, const char* doing, std::int64_t run, std::string_view identity) {
  const auto number = find_number(c.db(), "SELECT number FROM point WHERE run = ? AND identity = ?", run,
                                  std::string(identity));
  if (!number) c.raise(doing, store_fault::misuse, fmt::format("no point '{}' in this run", identity));
  return *number;
}

void insert_run(connection& c, const run_record& run, const environment& env,
                const workload_record& workload) {
  SQLite::Database& db = c.db();
  const std::int64_t machine = number_of_environment(db, env);
  execute(db, "INSERT OR IGNORE INTO workload (hash, name, resolved_json) VALUES (?, ?, ?)", workload.hash,
          workload.name, workload.resolved_json);
  execute(db,
          "INSERT INTO run (id, started_at, command_line, workload_name, essbench_version, git_revision, "
          "git_dirty, environment, workload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
          run.id, to_iso8601(run.started_at), run.command_line, run.workload_name, run.essbench_version,
          run.git_revision, run.git_dirty ? 1 : 0, machine, workload.hash);
}

void insert_run_event(connection& c, std::int64_t run, const event_record& event) {
  execute(c.db(), "INSERT INTO event (run, at, kind, detail) VALUES (?, ?, ?, ?)", run, to_iso8601(event.at),
          event.kind, event.detail);
}

void insert_point(connection& c, std::int64_t run, const point_record& point) {
  execute(c.db(),
          "INSERT INTO point (run, identity, label, system, device, clock, requested_json, effective_json) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, identity) DO NOTHING",
          run, point.identity, point.label, point.system, point.device, point.clock, text_of(point.requested),
          text_of(point.effective));
}

void insert_import(connection& c, std::int64_t run, const import_record& import) {
  SQLite::Database& db = c.db();
  execute(db,
          "INSERT INTO import (run, at, kind, file, source_version, essbench_version, environment, points, "
          "attempts, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          run, to_iso8601(import.at), import.kind, import.file, import.source_version,
          import.essbench_version, number_of_environment(db, import.env), import.points, import.attempts,
          import.note);
}

void insert_profile(connection& c, std::int64_t attempt, const profile& of) {
  std::int64_t position = 0;
  for (const profile_line& line : of) {
    execute(
        c.db(),
        "INSERT INTO profile (attempt, position, operation, layer, activity, name, count, cpu_us, gpu_us, "
        "bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        attempt, position++, line.operation, line.layer, std::string(to_string(line.activity)), line.name,
        line.count, line.cpu_us, line.gpu_us, line.bytes);
  }
}

void insert_attempt(connection& c, std::int64_t run, std::int64_t point, const attempt_record& attempt) {
  if (auto objection = objection_to(attempt); !objection.empty()) {
    c.raise("record attempt", store_fault::misuse, std::move(objection));
  }
  SQLite::Database& db = c.db();
  execute(db, "INSERT INTO attempt (point, reason, stop_reason, started_at, ended_at) VALUES (?, ?, ?, ?, ?)",
          point, attempt.reason, attempt.stop_reason, to_iso8601(attempt.started_at),
          to_iso8601(attempt.ended_at));
  const std::int64_t number = db.getLastInsertRowid();
  insert_lists(db, "INSERT INTO sample (attempt, metric, position, value) VALUES (?, ?, ?, ?)", number,
               attempt.samples);
  insert_lists(db, "INSERT INTO series (attempt, name, position, value) VALUES (?, ?, ?, ?)", number,
               attempt.series);
  insert_timeline(db, number, attempt.steps_timeline);
  insert_profile(c, number, attempt.profiled);
  insert_metrics(db, number, attempt);
  insert_events(db, run, number, attempt);
  execute(db, "UPDATE attempt SET status = ? WHERE number = ?", std::string(to_string(attempt.status)),
          number);
}

}  // namespace results
