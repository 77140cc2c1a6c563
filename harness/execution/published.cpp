#include "harness/execution/published.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "results/gain.h"

namespace harness {
namespace {

// A point of the store as the selector of a published value sees it.
bool is_meant(const workloads::point_selector& of, const results::loaded_point& candidate) {
  const results::point_record& point = candidate.point;
  if (of.system && workloads::to_string(*of.system) != point.system) return false;
  const bool of_label = point.label == of.label || point.label.starts_with(of.label + " ");
  if (of.label.empty() ? !point.label.starts_with(point.system) : !of_label) return false;
  const auto batch = results::batch_of(candidate);
  return !of.batch || (batch && *batch == *of.batch);
}

std::optional<double> value_of(std::string_view metric, const results::loaded_run& run,
                               const results::loaded_point& point) {
  if (metric == "gain_over_all_gpu")
    return results::throughput_ratio(point, results::all_gpu_reference(run, point));
  const results::metric_value* value = results::find_metric(point, metric);
  return value == nullptr ? std::nullopt : std::optional(value->median);
}

}  // namespace

bool is_as_published(const workloads::workload& workload) {
  return std::ranges::all_of(workload.set_paths, [](const std::string& path) {
    return path.starts_with("simulation.") || path.starts_with("measure.") || path == "cpu_threads" ||
           path == "seed" || path == "steps";
  });
}

std::vector<published_beside> beside_published(const workloads::workload& workload,
                                               const results::loaded_run& run) {
  std::vector<published_beside> out;
  for (const workloads::published_value& published : workload.published) {
    published_beside& row = out.emplace_back(published_beside{.published = published});
    for (const results::loaded_point& point : run.points) {
      if (!is_meant(published.of, point)) continue;
      const auto value = value_of(published.metric, run, point);
      if (!value || (row.ours && *value <= *row.ours)) continue;
      row.ours = value;
      row.point = point.point.label;
    }
  }
  return out;
}

std::optional<double> rms_error(const std::vector<published_beside>& of) {
  double squares = 0;
  double count = 0;
  for (const published_beside& row : of) {
    if (!row.error()) continue;
    squares += *row.error() * *row.error();
    count += 1;
  }
  return count > 0 ? std::optional(std::sqrt(squares / count)) : std::nullopt;
}

std::string published_table(const std::vector<published_beside>& of) {
  using results::alignment;
  results::text_table table({{{"point"}, alignment::left},
                             {{"metric"}, alignment::left},
                             {{"published"}},
                             {{"ours"}},
                             {{"off by"}},
                             {{"source"}, alignment::left}});
  for (const published_beside& row : of) {
    if (!row.ours) continue;
    table.add({row.point, row.published.metric, fmt::format("{:.6g}", row.published.value),
               fmt::format("{:.6g}", *row.ours), fmt::format("{:+.1f} %", 100 * *row.error()),
               row.published.source +
                   (row.published.calibrates.empty() ? "" : "; calibrates " + row.published.calibrates)});
  }
  return table.text();
}

}  // namespace harness
