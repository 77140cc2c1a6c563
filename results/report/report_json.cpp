#include <algorithm>
#include <cmath>

#include "results/point_facts.h"
#include "results/report/findings.h"
#include "results/report/page_data.h"
#include "results/report/report.h"

namespace results {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t most_series_values = 240;
// Operations of all timelines together: about 40 bytes each in the file.
constexpr std::size_t most_operations = 16'000;

ordered_json finite(double value) {
  return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
}

ordered_json finite(const std::optional<double>& value) {
  return value ? finite(*value) : ordered_json(nullptr);
}

// Six digits are more than a chart or a table shows.
ordered_json rounded(double value) {
  if (!std::isfinite(value) || value == 0) return finite(value);
  const double scale = std::pow(10.0, 5 - std::floor(std::log10(std::abs(value))));
  return std::isfinite(scale) && scale > 0 ? finite(std::round(value * scale) / scale) : finite(value);
}

ordered_json metrics_json(const loaded_point& point) {
  ordered_json made = ordered_json::object();
  for (const auto& [name, unused] : point.last()->metrics) {
    const metric_value* value = shown_metric(point, name);
    if (value == nullptr || name.starts_with("op_")) continue;
    made[name] = {{"median", rounded(value->median)},
                  {"lo", rounded(value->lo)},
                  {"hi", rounded(value->hi)},
                  {"n", value->n},
                  {"unit", value->unit}};
  }
  return made;
}

// Long ones as means of equal stretches.
ordered_json series_json(const std::vector<double>& values) {
  const std::size_t stride =
      std::max<std::size_t>(1, (values.size() + most_series_values - 1) / most_series_values);
  ordered_json means = ordered_json::array();
  for (std::size_t first = 0; first < values.size(); first += stride) {
    const std::size_t end = std::min(first + stride, values.size());
    double sum = 0;
    for (std::size_t i = first; i < end; ++i) sum += values[i];
    means.push_back(rounded(sum / static_cast<double>(end - first)));
  }
  return {{"stride", stride}, {"values", std::move(means)}};
}

ordered_json gain_json(const std::optional<gain_value>& of) {
  if (!of) return nullptr;
  ordered_json made = {{"ratio", rounded(of->ratio)}, {"reference", of->reference}};
  if (of->bounds) made.update({{"lo", rounded(of->bounds->lo)}, {"hi", rounded(of->bounds->hi)}});
  return made;
}

ordered_json repeat_json(const report& of, const std::string& label) {
  const auto at = of.extras.repeat.find(label);
  if (at == of.extras.repeat.end()) return nullptr;
  return {{"command", at->second.command}, {"label", at->second.label}, {"also", at->second.also}};
}

void add_attempt(const report_point& p, std::size_t& operations_left, ordered_json& into) {
  const attempt_record& last = *p.of->last();
  into["metrics"] = metrics_json(*p.of);
  for (const auto& [name, value] : last.accuracy) into["accuracy"][name] = finite(value);
  for (const auto& [name, values] : last.series) into["series"][name] = series_json(values);
  if (!is_measured(last.status)) return;
  for (const auto& [kind, us] : operations_of(*p.of)) into["operations"][kind] = rounded(us);
  if (last.steps_timeline.empty()) return;
  const bool fits = last.steps_timeline.size() <= operations_left;
  if (fits) operations_left -= last.steps_timeline.size();
  into["timeline"] = fits ? timeline_json(last.steps_timeline) : ordered_json("left out");
}

ordered_json point_json(const report& of, const report_point& p, std::size_t& operations_left) {
  ordered_json made = {{"name", p.name},
                       {"label", p.of->point.label},
                       {"system", p.of->point.system},
                       {"device", p.of->point.device},
                       {"clock", p.of->point.clock},
                       {"status", p.status},
                       {"reason", p.reason},
                       {"is_ceiling", p.is_ceiling},
                       {"is_on_front", p.is_on_front},
                       {"gain", gain_json(p.gain)},
                       {"of_uncapped", finite(p.of_uncapped)},
                       {"batch", finite(p.batch)},
                       {"context_tokens", finite(p.context_tokens)},
                       {"pool_share", finite(p.pool_share)},
                       {"repeat", repeat_json(of, p.of->point.label)}};
  for (const char* list : {"metrics", "accuracy", "series", "operations"})
    made[list] = ordered_json::object();
  if (p.of->last() != nullptr) add_attempt(p, operations_left, made);
  return made;
}

ordered_json points_json(const report& of) {
  ordered_json all = ordered_json::array();
  std::size_t operations_left = most_operations;
  for (const report_point& p : of.points) all.push_back(point_json(of, p, operations_left));
  return all;
}

// Settings as run that all points share.
ordered_json common_settings(const loaded_run& run) {
  if (run.points.empty()) return ordered_json::object();
  settings common = run.points.front().point.effective;
  for (const loaded_point& point : run.points) {
    const settings& own = point.point.effective;
    for (auto at = common.begin(); at != common.end();) {
      const bool agrees = own.contains(at.key()) && own.at(at.key()) == at.value();
      at = agrees ? std::next(at) : common.erase(at);
    }
  }
  return common;
}

// What a workload says of itself; nothing where its text cannot be read.
std::string description_of(const loaded_run& of) {
  const auto workload = nlohmann::json::parse(of.workload.resolved_json, nullptr, false);
  return workload.is_object() && workload.contains("description") && workload["description"].is_string()
             ? workload["description"].get<std::string>()
             : std::string();
}

ordered_json run_json(const loaded_run& of) {
  return {{"id", of.run.id},
          {"started_at", to_iso8601(of.run.started_at)},
          {"command_line", of.run.command_line},
          {"workload", of.run.workload_name},
          {"description", description_of(of)},
          {"workload_hash", of.workload.hash},
          {"git_revision", of.run.git_revision},
          {"git_dirty", of.run.git_dirty},
          {"machine", environment_line(of)}};
}

ordered_json findings_json(const report& of) {
  ordered_json all = ordered_json::array();
  for (const finding& f : of.findings)
    all.push_back({{"tone", to_string(f.how)}, {"title", f.title}, {"text", f.text}});
  return all;
}

ordered_json controls_json(const report& of) {
  ordered_json all = ordered_json::array();
  for (const control& c : of.controls) {
    all.push_back({{"point", c.point},
                   {"what", c.what},
                   {"expected", c.expected},
                   {"found", c.found},
                   {"holds", c.holds}});
  }
  return all;
}

ordered_json published_json(const report& of) {
  ordered_json all = ordered_json::array();
  for (const published_row& row : of.extras.published) {
    all.push_back({{"point", row.point},
                   {"metric", row.metric},
                   {"unit", row.unit},
                   {"source", row.source},
                   {"published", finite(row.published)},
                   {"ours", finite(row.ours)}});
  }
  return all;
}

}  // namespace

ordered_json report_json(const report& of) {
  const judged_arms* comparison = of.extras.comparison;
  return {{"run", run_json(*of.run)},
          {"environment", of.run->env},
          {"settings", common_settings(*of.run)},
          {"findings", findings_json(of)},
          {"points", points_json(of)},
          {"controls", controls_json(of)},
          {"published", published_json(of)},
          {"curve", of.extras.curve},
          {"comparison", comparison == nullptr ? ordered_json(nullptr) : judged_json(*comparison)}};
}

}  // namespace results
