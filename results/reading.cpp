#include "results/reading.h"

#include <map>

#include "results/attempt_parts.h"
#include "results/column_values.h"

namespace results {
namespace {

run_record run_in(const connection& c, SQLite::Statement& row) {
  return {.id = row.getColumn("id").getString(),
          .started_at = time_in(c, row.getColumn("started_at").getString()),
          .command_line = row.getColumn("command_line").getString(),
          .workload_name = row.getColumn("workload_name").getString(),
          .essbench_version = row.getColumn("essbench_version").getString(),
          .git_revision = row.getColumn("git_revision").getString(),
          .git_dirty = row.getColumn("git_dirty").getInt() != 0};
}

using points_by_number = std::map<std::int64_t, std::size_t>;

// Where attempt number N went: point, place among its attempts.
struct place {
  std::size_t point;
  std::size_t attempt;
};
using attempts_by_number = std::map<std::int64_t, place>;

attempt_record& at(loaded_run& run, const attempts_by_number& places, std::int64_t number) {
  const place where = places.at(number);
  return run.points[where.point].attempts[where.attempt];
}

points_by_number load_points(connection& c, std::int64_t run_number, loaded_run& into) {
  points_by_number numbers;
  SQLite::Statement row(c.db(), "SELECT * FROM point WHERE run = ? ORDER BY number");
  row.bind(1, run_number);
  while (row.executeStep()) {
    numbers[row.getColumn("number").getInt64()] = into.points.size();
    into.points.push_back({.point = {.identity = row.getColumn("identity").getString(),
                                     .label = row.getColumn("label").getString(),
                                     .system = row.getColumn("system").getString(),
                                     .device = row.getColumn("device").getString(),
                                     .clock = row.getColumn("clock").getString(),
                                     .requested = json_in(c, row.getColumn("requested_json").getString()),
                                     .effective = json_in(c, row.getColumn("effective_json").getString())}});
  }
  return numbers;
}

attempts_by_number load_attempts(connection& c, std::int64_t run_number, const points_by_number& numbers,
                                 loaded_run& into) {
  attempts_by_number places;
  SQLite::Statement row(c.db(),
                        "SELECT a.* FROM attempt a JOIN point p ON p.number = a.point "
                        "WHERE p.run = ? AND a.status IS NOT NULL ORDER BY a.number");
  row.bind(1, run_number);
  while (row.executeStep()) {
    const std::size_t point = numbers.at(row.getColumn("point").getInt64());
    auto& attempts = into.points[point].attempts;
    places[row.getColumn("number").getInt64()] = {point, attempts.size()};
    attempts.push_back({.status = status_in(c, row.getColumn("status").getString()),
                        .reason = row.getColumn("reason").getString(),
                        .stop_reason = row.getColumn("stop_reason").getString(),
                        .started_at = time_in(c, row.getColumn("started_at").getString()),
                        .ended_at = time_in(c, row.getColumn("ended_at").getString())});
  }
  return places;
}

void load_parts(connection& c, const attempts_by_number& places, load_detail detail, loaded_run& into) {
  attempt_parts parts(c);
  for (const auto& [number, where] : places) parts.read(number, detail, at(into, places, number));
}

void load_events(connection& c, std::int64_t run_number, const attempts_by_number& places, loaded_run& into) {
  SQLite::Statement row(c.db(),
                        "SELECT attempt, at, kind, detail FROM event WHERE run = ? ORDER BY at, number");
  row.bind(1, run_number);
  while (row.executeStep()) {
    auto& events = row.isColumnNull(0) ? into.events : at(into, places, row.getColumn(0).getInt64()).events;
    events.push_back({.at = time_in(c, row.getColumn(1).getString()),
                      .kind = row.getColumn(2).getString(),
                      .detail = row.getColumn(3).getString()});
  }
}

void load_imports(connection& c, std::int64_t run_number, loaded_run& into) {
  SQLite::Statement row(c.db(),
                        "SELECT i.*, e.json FROM import i JOIN environment e ON e.number = i.environment "
                        "WHERE i.run = ? ORDER BY i.at, i.number");
  row.bind(1, run_number);
  while (row.executeStep()) {
    into.imports.push_back({.at = time_in(c, row.getColumn("at").getString()),
                            .kind = row.getColumn("kind").getString(),
                            .file = row.getColumn("file").getString(),
                            .source_version = row.getColumn("source_version").getString(),
                            .essbench_version = row.getColumn("essbench_version").getString(),
                            .env = json_in(c, row.getColumn("json").getString()),
                            .points = row.getColumn("points").getInt64(),
                            .attempts = row.getColumn("attempts").getInt64(),
                            .note = row.getColumn("note").getString()});
  }
}

std::vector<std::string> imported_files(connection& c, std::int64_t run_number) {
  std::vector<std::string> files;
  SQLite::Statement row(c.db(),
                        "SELECT file FROM import WHERE run = ? GROUP BY file ORDER BY min(at), min(number)");
  row.bind(1, run_number);
  while (row.executeStep()) files.push_back(row.getColumn(0).getString());
  return files;
}

// The run with this id, or the only one whose id begins so.
std::optional<std::int64_t> number_of(connection& c, std::string_view id) {
  SQLite::Statement row(
      c.db(), "SELECT number, id FROM run WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id = ?1 DESC");
  row.bind(1, std::string(id));
  if (id.empty() || !row.executeStep()) return std::nullopt;
  const std::int64_t number = row.getColumn(0).getInt64();
  const bool whole = row.getColumn(1).getString() == id;
  if (!whole && row.executeStep()) return std::nullopt;
  return number;
}

}  // namespace

point_statuses read_point_statuses(connection& c, std::int64_t run_number) {
  point_statuses points;
  SQLite::Statement row(c.db(),
                        "SELECT p.identity, (SELECT a.status FROM attempt a WHERE a.point = p.number AND "
                        "a.status IS NOT NULL ORDER BY a.number DESC LIMIT 1) FROM point p WHERE p.run = ? "
                        "ORDER BY p.number");
  row.bind(1, run_number);
  while (row.executeStep()) {
    std::optional<attempt_status> status;
    if (!row.isColumnNull(1)) status = status_in(c, row.getColumn(1).getString());
    points.emplace_back(row.getColumn(0).getString(), status);
  }
  return points;
}

std::vector<run_summary> read_runs(connection& c) {
  const SQLite::Transaction picture(c.db());
  std::vector<run_summary> all;
  SQLite::Statement row(c.db(), "SELECT * FROM run ORDER BY started_at, number");
  while (row.executeStep()) {
    const std::int64_t number = row.getColumn("number").getInt64();
    run_summary summary{.run = run_in(c, row),
                        .workload_hash = row.getColumn("workload").getString(),
                        .imported_from = imported_files(c, number)};
    for (const auto& [identity, status] : read_point_statuses(c, number)) {
      ++(status ? summary.points[*status] : summary.untried);
    }
    all.push_back(std::move(summary));
  }
  return all;
}

std::optional<std::string> read_latest_run(connection& c, const std::optional<std::string>& workload_hash) {
  SQLite::Statement row(
      c.db(),
      "SELECT id FROM run WHERE ?1 IS NULL OR workload = ?1 ORDER BY started_at DESC, number DESC LIMIT 1");
  if (workload_hash) row.bind(1, *workload_hash);
  if (!row.executeStep()) return std::nullopt;
  return row.getColumn(0).getString();
}

std::optional<loaded_run> read_run(connection& c, std::string_view run_id, load_detail detail) {
  const SQLite::Transaction picture(c.db());
  const auto number = number_of(c, run_id);
  if (!number) return std::nullopt;
  loaded_run run;
  {
    SQLite::Statement row(c.db(),
                          "SELECT r.*, e.json, w.hash, w.name, w.resolved_json FROM run r "
                          "JOIN environment e ON e.number = r.environment "
                          "JOIN workload w ON w.hash = r.workload WHERE r.number = ?");
    row.bind(1, *number);
    if (!row.executeStep()) c.raise("read", store_fault::corrupt, "a run without environment or workload");
    run.run = run_in(c, row);
    run.env = json_in(c, row.getColumn("json").getString());
    run.workload = {.name = row.getColumn("name").getString(),
                    .hash = row.getColumn("hash").getString(),
                    .resolved_json = row.getColumn("resolved_json").getString()};
  }
  const points_by_number points = load_points(c, *number, run);
  const attempts_by_number places = load_attempts(c, *number, points, run);
  load_parts(c, places, detail, run);
  load_events(c, *number, places, run);
  load_imports(c, *number, run);
  return run;
}

}  // namespace results
