#include "results/show_benchmarks.h"

#include <fmt/format.h>

#include <algorithm>

#include "results/point_facts.h"
#include "results/text_table.h"

namespace results {
namespace {

std::string time_cell(const loaded_point& point, const char* name) {
  const metric_value* time = shown_metric(point, name);
  return time == nullptr ? "-" : fmt::format("{:.4g}", time->median);
}

std::string samples_cell(const loaded_point& point) {
  const metric_value* time = shown_metric(point, "real_time_us");
  return time == nullptr ? "-" : fmt::format("{}", time->n);
}

std::string counters_of(const attempt_record& attempt) {
  std::string text;
  for (const auto& [name, value] : attempt.metrics) {
    if (name == "real_time_us" || name == "cpu_time_us") continue;
    const std::string unit = value.unit.empty() ? "" : " " + value.unit;
    text += fmt::format("{}{} {:.4g}{}", text.empty() ? "" : ", ", name, value.median, unit);
  }
  return text;
}

// Counters, or why there are none.
std::string other_cell(const loaded_point& point) {
  if (point.last() == nullptr) return "";
  return point.last()->status == attempt_status::ok ? counters_of(*point.last()) : reason_of(point);
}

}  // namespace

bool is_of_benchmarks(const loaded_run& run) {
  return !run.points.empty() &&
         std::ranges::all_of(run.points, [](const loaded_point& p) { return p.point.system == "benchmark"; });
}

std::string show_benchmarks(const loaded_run& run) {
  text_table table({{{"benchmark"}, alignment::left},
                    {{"status"}, alignment::left},
                    {{"real us"}},
                    {{"CPU us"}},
                    {{"samples"}},
                    {{"counters"}, alignment::left}});
  for (const loaded_point& point : run.points) {
    table.add({point.point.label, status_of(point), time_cell(point, "real_time_us"),
               time_cell(point, "cpu_time_us"), samples_cell(point), other_cell(point)});
  }
  return fmt::format("run {}, workload {}, {}, device {}\n\n", run.run.id, run.run.workload_name,
                     to_iso8601(run.run.started_at), run.points.front().point.device) +
         table.text() + "\ntimes are medians over repetitions, of one iteration\n";
}

}  // namespace results
