#include "results/reading.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <map>

namespace results {
namespace {

[[noreturn]] void raise_unreadable(const connection& c, std::string_view what, std::string_view value) {
  c.raise("read", store_fault::corrupt, fmt::format("'{}' is no {}", value, what));
}

attempt_status status_in(const connection& c, const std::string& name) {
  const auto status = parse_attempt_status(name);
  if (!status) raise_unreadable(c, "attempt status", name);
  return *status;
}

utc_time time_in(const connection& c, const std::string& text) {
  const auto at = parse_iso8601(text);
  if (!at) raise_unreadable(c, "time", text);
  return *at;
}

nlohmann::json json_in(const connection& c, const std::string& text) {
  auto value = nlohmann::json::parse(text, nullptr, false);
  if (value.is_discarded()) raise_unreadable(c, "JSON", text);
  return value;
}

double number_in(const SQLite::Column& column) {
  return column.isNull() ? std::numeric_limits<double>::quiet_NaN() : column.getDouble();
}

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

// All tables below `attempt` are read by this join.
std::string of_run(std::string_view columns, std::string_view table, std::string_view order) {
  return fmt::format(
      "SELECT {} FROM {} JOIN attempt a ON a.number = t.attempt JOIN point p ON p.number = a.point "
      "WHERE p.run = ? AND a.status IS NOT NULL ORDER BY {}",
      columns, table, order);
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

void load_samples(connection& c, std::int64_t run_number, const attempts_by_number& places,
                  loaded_run& into) {
  SQLite::Statement row(
      c.db(), of_run("t.attempt, t.metric, t.value", "sample t", "t.attempt, t.metric, t.position"));
  row.bind(1, run_number);
  while (row.executeStep()) {
    attempt_record& attempt = at(into, places, row.getColumn(0).getInt64());
    attempt.samples[row.getColumn(1).getString()].push_back(number_in(row.getColumn(2)));
  }
}

void load_series(connection& c, std::int64_t run_number, const attempts_by_number& places, loaded_run& into) {
  SQLite::Statement row(c.db(),
                        of_run("t.attempt, t.name, t.value", "series t", "t.attempt, t.name, t.position"));
  row.bind(1, run_number);
  while (row.executeStep()) {
    attempt_record& attempt = at(into, places, row.getColumn(0).getInt64());
    attempt.series[row.getColumn(1).getString()].push_back(number_in(row.getColumn(2)));
  }
}

timeline_operation operation_in(const connection& c, const nlohmann::json& of) try {
  return {.kind = of.at(0).get<std::string>(),
          .layer = of.at(1).get<int>(),
          .first_seat = of.at(2).get<int>(),
          .seats = of.at(3).get<int>(),
          .stream = of.at(4).get<std::string>(),
          .on_link = of.at(5).get<bool>(),
          .start_us = of.at(6).get<double>(),
          .end_us = of.at(7).get<double>()};
} catch (const nlohmann::json::exception&) {
  raise_unreadable(c, "operation of a timeline", of.dump());
}

void load_timelines(connection& c, std::int64_t run_number, const attempts_by_number& places,
                    loaded_run& into) {
  SQLite::Statement row(c.db(), of_run("t.attempt, t.operations_json", "timeline t", "t.attempt"));
  row.bind(1, run_number);
  while (row.executeStep()) {
    attempt_record& attempt = at(into, places, row.getColumn(0).getInt64());
    const std::string text = row.getColumn(1).getString();
    const nlohmann::json operations = json_in(c, text);
    if (!operations.is_array()) raise_unreadable(c, "timeline", text);
    for (const nlohmann::json& op : operations) attempt.steps_timeline.push_back(operation_in(c, op));
  }
}

void load_metrics(connection& c, std::int64_t run_number, const attempts_by_number& places,
                  loaded_run& into) {
  SQLite::Statement row(c.db(), of_run("t.attempt, t.name, t.median, t.lo, t.hi, t.n, t.unit", "metric t",
                                       "t.attempt, t.name"));
  row.bind(1, run_number);
  while (row.executeStep()) {
    at(into, places, row.getColumn(0).getInt64()).metrics[row.getColumn(1).getString()] = {
        .median = number_in(row.getColumn(2)),
        .lo = number_in(row.getColumn(3)),
        .hi = number_in(row.getColumn(4)),
        .n = row.getColumn(5).getInt64(),
        .unit = row.getColumn(6).getString()};
  }
}

void load_accuracy(connection& c, std::int64_t run_number, const attempts_by_number& places,
                   loaded_run& into) {
  SQLite::Statement row(c.db(), of_run("t.attempt, t.name, t.value", "accuracy t", "t.attempt, t.name"));
  row.bind(1, run_number);
  while (row.executeStep()) {
    at(into, places, row.getColumn(0).getInt64()).accuracy[row.getColumn(1).getString()] =
        number_in(row.getColumn(2));
  }
}

void load_events(connection& c, std::int64_t run_number, const attempts_by_number& places, loaded_run& into) {
  SQLite::Statement row(c.db(), "SELECT attempt, at, kind, detail FROM event WHERE run = ? ORDER BY number");
  row.bind(1, run_number);
  while (row.executeStep()) {
    auto& events = row.isColumnNull(0) ? into.events : at(into, places, row.getColumn(0).getInt64()).events;
    events.push_back({.at = time_in(c, row.getColumn(1).getString()),
                      .kind = row.getColumn(2).getString(),
                      .detail = row.getColumn(3).getString()});
  }
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
  SQLite::Statement row(c.db(), "SELECT * FROM run ORDER BY number");
  while (row.executeStep()) {
    run_summary summary{.run = run_in(c, row), .workload_hash = row.getColumn("workload").getString()};
    for (const auto& [identity, status] : read_point_statuses(c, row.getColumn("number").getInt64())) {
      ++(status ? summary.points[*status] : summary.untried);
    }
    all.push_back(std::move(summary));
  }
  return all;
}

std::optional<std::string> read_latest_run(connection& c, const std::optional<std::string>& workload_hash) {
  SQLite::Statement row(c.db(),
                        "SELECT id FROM run WHERE ?1 IS NULL OR workload = ?1 ORDER BY number DESC LIMIT 1");
  if (workload_hash) row.bind(1, *workload_hash);
  if (!row.executeStep()) return std::nullopt;
  return row.getColumn(0).getString();
}

std::optional<loaded_run> read_run(connection& c, std::string_view run_id) {
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
  load_samples(c, *number, places, run);
  load_series(c, *number, places, run);
  load_timelines(c, *number, places, run);
  load_metrics(c, *number, places, run);
  load_accuracy(c, *number, places, run);
  load_events(c, *number, places, run);
  return run;
}

}  // namespace results
