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

// Rows may name an attempt that is not there, or one of another run, in a file that something else has
// written to.
attempt_record& at(const connection& c, loaded_run& run, const attempts_by_number& places,
                   std::int64_t number) {
  const auto where = places.find(number);
  if (where == places.end()) raise_unreadable(c, "attempt of this run", std::to_string(number));
  return run.points[where->second.point].attempts[where->second.attempt];
}

// All of `part`. With `lost`, what cannot be read of it is noted there and left out.
template <typename F>
void read_or_lose(losses* lost, const std::string& what, F&& part) {
  if (lost == nullptr) return part();
  try {
    part();
  } catch (const SQLite::Exception& broken) {
    lost->push_back(what + ": " + broken.what());
  } catch (const store_error& broken) {
    lost->push_back(what + ": " + broken.words());
  }
}

// With `lost`, passes over rows that make no sense, and ends at a page that cannot be read.
template <typename F>
void for_each_row(SQLite::Statement& rows, losses* lost, const std::string& what, F&& each) {
  read_or_lose(lost, what, [&] {
    while (rows.executeStep()) read_or_lose(lost, what, each);
  });
}

points_by_number load_points(connection& c, std::int64_t run_number, loaded_run& into, losses* lost) {
  points_by_number numbers;
  SQLite::Statement row(c.db(), "SELECT * FROM point WHERE run = ? ORDER BY number");
  row.bind(1, run_number);
  for_each_row(row, lost, "a point", [&] {
    into.points.push_back(
        {.point = {.identity = row.getColumn("identity").getString(),
                   .label = row.getColumn("label").getString(),
                   .system = row.getColumn("system").getString(),
                   .device = row.getColumn("device").getString(),
                   .clock = row.getColumn("clock").getString(),
                   .requested = object_in(c, row.getColumn("requested_json").getString()),
                   .effective = object_in(c, row.getColumn("effective_json").getString())}});
    numbers[row.getColumn("number").getInt64()] = into.points.size() - 1;
  });
  return numbers;
}

attempts_by_number load_attempts(connection& c, std::int64_t run_number, const points_by_number& numbers,
                                 loaded_run& into, losses* lost) {
  attempts_by_number places;
  SQLite::Statement row(c.db(),
                        "SELECT a.* FROM attempt a JOIN point p ON p.number = a.point "
                        "WHERE p.run = ? AND a.status IS NOT NULL ORDER BY a.number");
  row.bind(1, run_number);
  for_each_row(row, lost, "an attempt", [&] {
    const auto point = numbers.find(row.getColumn("point").getInt64());
    if (point == numbers.end()) raise_unreadable(c, "point of this run", row.getColumn("point").getString());
    auto& attempts = into.points[point->second].attempts;
    attempts.push_back({.status = status_in(c, row.getColumn("status").getString()),
                        .reason = row.getColumn("reason").getString(),
                        .stop_reason = row.getColumn("stop_reason").getString(),
                        .started_at = time_in(c, row.getColumn("started_at").getString()),
                        .ended_at = time_in(c, row.getColumn("ended_at").getString())});
    places[row.getColumn("number").getInt64()] = {point->second, attempts.size() - 1};
  });
  return places;
}

void load_parts(connection& c, const attempts_by_number& places, load_detail detail, loaded_run& into,
                losses* lost) {
  attempt_parts parts(c);
  for (const auto& [number, where] : places) {
    read_or_lose(lost, "parts of an attempt of point '" + into.points[where.point].point.label + "'",
                 [&, attempt = number] { parts.read(attempt, detail, at(c, into, places, attempt)); });
  }
}

void load_events(connection& c, std::int64_t run_number, const attempts_by_number& places, loaded_run& into,
                 losses* lost) {
  SQLite::Statement row(c.db(),
                        "SELECT attempt, at, kind, detail FROM event WHERE run = ? ORDER BY at, number");
  row.bind(1, run_number);
  for_each_row(row, lost, "an event", [&] {
    auto& events =
        row.isColumnNull(0) ? into.events : at(c, into, places, row.getColumn(0).getInt64()).events;
    events.push_back({.at = time_in(c, row.getColumn(1).getString()),
                      .kind = row.getColumn(2).getString(),
                      .detail = row.getColumn(3).getString()});
  });
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
                            .env = object_in(c, row.getColumn("json").getString()),
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

// Runs begun here are ordered by their numbers: the clock may have been set back between two of them. Only
// imported ones, whose numbers tell the order of imports, need their times.
std::optional<std::string> read_latest_run(connection& c, const std::optional<std::string>& workload_hash) {
  SQLite::Statement row(
      c.db(),
      "SELECT id, EXISTS (SELECT 1 FROM import i WHERE i.run = run.number) AS imported FROM run "
      "WHERE ?1 IS NULL OR workload = ?1 "
      "ORDER BY imported, iif(imported, started_at, '') DESC, number DESC LIMIT 1");
  if (workload_hash) row.bind(1, *workload_hash);
  if (!row.executeStep()) return std::nullopt;
  return row.getColumn(0).getString();
}

std::optional<loaded_run> read_run(connection& c, std::string_view run_id, load_detail detail, losses* lost) {
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
    run.env = object_in(c, row.getColumn("json").getString());
    run.workload = {.name = row.getColumn("name").getString(),
                    .hash = row.getColumn("hash").getString(),
                    .resolved_json = row.getColumn("resolved_json").getString()};
  }
  const points_by_number points = load_points(c, *number, run, lost);
  const attempts_by_number places = load_attempts(c, *number, points, run, lost);
  load_parts(c, places, detail, run, lost);
  load_events(c, *number, places, run, lost);
  read_or_lose(lost, "where the run came from", [&] { load_imports(c, *number, run); });
  return run;
}

}  // namespace results
