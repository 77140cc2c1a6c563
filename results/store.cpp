#include "results/store.h"

#include <fmt/format.h>

#include "results/connection.h"
#include "results/reading.h"
#include "results/sql.h"

namespace results {
namespace {

std::string text_of(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

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

void insert_profile(SQLite::Database& db, std::int64_t attempt, const profile& of) {
  std::int64_t position = 0;
  for (const profile_line& line : of) {
    execute(
        db,
        "INSERT INTO profile (attempt, position, operation, layer, activity, name, count, cpu_us, gpu_us, "
        "bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        attempt, position++, line.operation, line.layer, std::string(to_string(line.activity)), line.name,
        line.count, line.cpu_us, line.gpu_us, line.bytes);
  }
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

store::store(std::unique_ptr<connection> db) : db_(std::move(db)) {}
store::store(store&&) noexcept = default;
store& store::operator=(store&&) noexcept = default;
store::~store() = default;

store store::open(const std::filesystem::path& file, const open_options& options) {
  return store(std::make_unique<connection>(file, options));
}

const std::filesystem::path& store::file() const { return db_->file(); }

std::string store::begin_run(const run_record& run, const environment& env, const workload_record& workload) {
  const std::string id = run.id.empty() ? new_run_id() : run.id;
  db_->in_transaction("begin run", [&] {
    SQLite::Database& db = db_->db();
    const std::int64_t machine = number_of_environment(db, env);
    execute(db, "INSERT OR IGNORE INTO workload (hash, name, resolved_json) VALUES (?, ?, ?)", workload.hash,
            workload.name, workload.resolved_json);
    execute(db,
            "INSERT INTO run (id, started_at, command_line, workload_name, essbench_version, git_revision, "
            "git_dirty, environment, workload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            id, to_iso8601(run.started_at), run.command_line, run.workload_name, run.essbench_version,
            run.git_revision, run.git_dirty ? 1 : 0, machine, workload.hash);
  });
  return id;
}

void store::resume_run(std::string_view run_id, const event_record& event) {
  db_->in_transaction("resume run", [&] {
    const std::int64_t run = number_of_run(*db_, "resume run", run_id);
    execute(db_->db(), "INSERT INTO event (run, at, kind, detail) VALUES (?, ?, ?, ?)", run,
            to_iso8601(event.at), event.kind, event.detail);
  });
}

void store::register_point(std::string_view run_id, const point_record& point) {
  db_->in_transaction("register point", [&] {
    const std::int64_t run = number_of_run(*db_, "register point", run_id);
    execute(db_->db(),
            "INSERT INTO point (run, identity, label, system, device, clock, requested_json, effective_json) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, identity) DO NOTHING",
            run, point.identity, point.label, point.system, point.device, point.clock,
            text_of(point.requested), text_of(point.effective));
  });
}

void store::record_import(std::string_view run_id, const import_record& import) {
  db_->in_transaction("record import", [&] {
    SQLite::Database& db = db_->db();
    const std::int64_t run = number_of_run(*db_, "record import", run_id);
    execute(db,
            "INSERT INTO import (run, at, kind, file, source_version, essbench_version, environment, points, "
            "attempts, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            run, to_iso8601(import.at), import.kind, import.file, import.source_version,
            import.essbench_version, number_of_environment(db, import.env), import.points, import.attempts,
            import.note);
  });
}

void store::record_profile(std::string_view run_id, std::string_view point_identity, const profile& seen) {
  static constexpr const char* doing = "record profile";
  db_->in_transaction(doing, [&] {
    SQLite::Database& db = db_->db();
    const std::int64_t point =
        number_of_point(*db_, doing, number_of_run(*db_, doing, run_id), point_identity);
    const auto attempt = find_number(
        db, "SELECT number FROM attempt WHERE point = ? AND status IS NOT NULL ORDER BY number DESC", point);
    if (!attempt) db_->raise(doing, store_fault::misuse, "the point has no attempt");
    insert_profile(db, *attempt, seen);
  });
}

void store::record_attempt(std::string_view run_id, std::string_view point_identity,
                           const attempt_record& attempt) {
  static constexpr const char* doing = "record attempt";
  if (auto objection = objection_to(attempt); !objection.empty()) {
    db_->raise(doing, store_fault::misuse, std::move(objection));
  }
  db_->in_transaction(doing, [&] {
    SQLite::Database& db = db_->db();
    const std::int64_t run = number_of_run(*db_, doing, run_id);
    const std::int64_t point = number_of_point(*db_, doing, run, point_identity);
    execute(db,
            "INSERT INTO attempt (point, reason, stop_reason, started_at, ended_at) VALUES (?, ?, ?, ?, ?)",
            point, attempt.reason, attempt.stop_reason, to_iso8601(attempt.started_at),
            to_iso8601(attempt.ended_at));
    const std::int64_t number = db.getLastInsertRowid();
    insert_lists(db, "INSERT INTO sample (attempt, metric, position, value) VALUES (?, ?, ?, ?)", number,
                 attempt.samples);
    insert_lists(db, "INSERT INTO series (attempt, name, position, value) VALUES (?, ?, ?, ?)", number,
                 attempt.series);
    insert_timeline(db, number, attempt.steps_timeline);
    insert_profile(db, number, attempt.profiled);
    insert_metrics(db, number, attempt);
    insert_events(db, run, number, attempt);
    execute(db, "UPDATE attempt SET status = ? WHERE number = ?", std::string(to_string(attempt.status)),
            number);
  });
}

std::set<std::string> store::finished_points(std::string_view run_id) {
  return db_->guarded("read points", [&] {
    std::set<std::string> finished;
    const std::int64_t run = number_of_run(*db_, "read points", run_id);
    for (const auto& [identity, status] : read_point_statuses(*db_, run)) {
      if (status && is_finished(*status)) finished.insert(identity);
    }
    return finished;
  });
}

std::vector<run_summary> store::runs() {
  return db_->guarded("list runs", [&] { return read_runs(*db_); });
}

std::optional<std::string> store::latest_run() {
  return db_->guarded("find the latest run", [&] { return read_latest_run(*db_, std::nullopt); });
}

std::optional<std::string> store::latest_run(std::string_view workload_hash) {
  return db_->guarded("find the latest run",
                      [&] { return read_latest_run(*db_, std::string(workload_hash)); });
}

std::optional<loaded_run> store::load(std::string_view run_id, load_detail detail) {
  return db_->guarded("load run", [&] { return read_run(*db_, run_id, detail); });
}

}  // namespace results
