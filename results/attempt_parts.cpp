#include "results/attempt_parts.h"

#include <stdexcept>
#include <string_view>
#include <utility>

#include "results/column_values.h"

namespace results {
namespace {

using lists = std::map<std::string, std::vector<double>>;

void start(SQLite::Statement& rows, std::int64_t attempt) {
  rows.reset();
  rows.bind(1, attempt);
}

// There may be a million rows: a name is looked up once, not once a row.
void read_lists(SQLite::Statement& rows, std::int64_t attempt, lists& into) {
  start(rows, attempt);
  auto current = into.end();
  while (rows.executeStep()) {
    const std::string_view name = rows.getColumn(0).getText();
    if (current == into.end() || current->first != name) current = into.try_emplace(std::string(name)).first;
    current->second.push_back(number_in(rows.getColumn(1)));
  }
}

// nlohmann makes an int of any number, be it 1e300 or wider than an int.
int whole_in(const nlohmann::json& of) {
  if (!of.is_number_integer() || !std::in_range<int>(of.get<std::int64_t>())) {
    throw std::out_of_range("no int");
  }
  return of.get<int>();
}

timeline_operation operation_in(const connection& c, const nlohmann::json& of) try {
  return {.kind = of.at(0).get<std::string>(),
          .layer = whole_in(of.at(1)),
          .first_seat = whole_in(of.at(2)),
          .seats = whole_in(of.at(3)),
          .stream = of.at(4).get<std::string>(),
          .on_link = of.at(5).get<bool>(),
          .start_us = of.at(6).get<double>(),
          .end_us = of.at(7).get<double>()};
} catch (const std::exception&) {
  raise_unreadable(c, "operation of a timeline", of.dump());
}

}  // namespace

attempt_parts::attempt_parts(connection& c)
    : c_(c),
      samples_(c.db(), "SELECT metric, value FROM sample WHERE attempt = ? ORDER BY metric, position"),
      series_(c.db(), "SELECT name, value FROM series WHERE attempt = ? ORDER BY name, position"),
      timeline_(c.db(), "SELECT operations_json FROM timeline WHERE attempt = ?"),
      metrics_(c.db(), "SELECT name, median, lo, hi, n, unit FROM metric WHERE attempt = ? ORDER BY name"),
      accuracy_(c.db(), "SELECT name, value FROM accuracy WHERE attempt = ? ORDER BY name"),
      profile_(c.db(),
               "SELECT operation, layer, activity, name, count, cpu_us, gpu_us, bytes FROM profile "
               "WHERE attempt = ? ORDER BY position") {}

void attempt_parts::read(std::int64_t attempt, load_detail detail, attempt_record& into) {
  if (detail == load_detail::everything) read_lists(samples_, attempt, into.samples);
  read_lists(series_, attempt, into.series);
  read_timeline(attempt, into);
  read_metrics(attempt, into);
  read_accuracy(attempt, into);
  into.profiled = read_profile(attempt);
}

void attempt_parts::read_timeline(std::int64_t attempt, attempt_record& into) {
  start(timeline_, attempt);
  if (!timeline_.executeStep()) return;
  const std::string text = timeline_.getColumn(0).getString();
  const nlohmann::json operations = json_in(c_, text);
  if (!operations.is_array()) raise_unreadable(c_, "timeline", text);
  for (const nlohmann::json& op : operations) into.steps_timeline.push_back(operation_in(c_, op));
}

void attempt_parts::read_metrics(std::int64_t attempt, attempt_record& into) {
  start(metrics_, attempt);
  while (metrics_.executeStep()) {
    into.metrics[metrics_.getColumn(0).getString()] = {.median = number_in(metrics_.getColumn(1)),
                                                       .lo = number_in(metrics_.getColumn(2)),
                                                       .hi = number_in(metrics_.getColumn(3)),
                                                       .n = metrics_.getColumn(4).getInt64(),
                                                       .unit = metrics_.getColumn(5).getString()};
  }
}

void attempt_parts::read_accuracy(std::int64_t attempt, attempt_record& into) {
  start(accuracy_, attempt);
  while (accuracy_.executeStep()) {
    into.accuracy[accuracy_.getColumn(0).getString()] = number_in(accuracy_.getColumn(1));
  }
}

profile attempt_parts::read_profile(std::int64_t attempt) {
  profile seen;
  start(profile_, attempt);
  while (profile_.executeStep()) {
    const std::string word = profile_.getColumn(2).getString();
    const auto activity = parse_profiled_activity(word);
    if (!activity) raise_unreadable(c_, "activity of a profile", word);
    seen.push_back({.operation = profile_.getColumn(0).getString(),
                    .layer = profile_.getColumn(1).getInt(),
                    .activity = *activity,
                    .name = profile_.getColumn(3).getString(),
                    .count = profile_.getColumn(4).getInt64(),
                    .cpu_us = number_in(profile_.getColumn(5)),
                    .gpu_us = number_in(profile_.getColumn(6)),
                    .bytes = profile_.getColumn(7).getInt64()});
  }
  return seen;
}

}  // namespace results
