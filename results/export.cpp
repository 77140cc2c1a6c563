#include "results/export.h"

#include <fmt/format.h>

#include <cmath>
#include <string_view>
#include <vector>

namespace results {
namespace {

using nlohmann::ordered_json;

ordered_json finite_or_null(double value) {
  return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
}

ordered_json run_object(const loaded_run& of) {
  return {{"id", of.run.id},
          {"started_at", to_iso8601(of.run.started_at)},
          {"command_line", of.run.command_line},
          {"workload", of.run.workload_name},
          {"workload_hash", of.workload.hash},
          {"essbench_version", of.run.essbench_version},
          {"git_revision", of.run.git_revision},
          {"git_dirty", of.run.git_dirty}};
}

ordered_json metric_object(const metric_value& of) {
  return {{"median", finite_or_null(of.median)},
          {"lo", finite_or_null(of.lo)},
          {"hi", finite_or_null(of.hi)},
          {"n", of.n},
          {"unit", of.unit}};
}

// The environment only where it is not the run's own, as with the shards of a run.
ordered_json import_object(const loaded_run& run, const import_record& of) {
  return {{"kind", of.kind},
          {"file", of.file},
          {"at", to_iso8601(of.at)},
          {"source_version", of.source_version},
          {"essbench_version", of.essbench_version},
          {"points", of.points},
          {"attempts", of.attempts},
          {"note", of.note},
          {"environment", of.env == run.env ? ordered_json(nullptr) : ordered_json(of.env)}};
}

ordered_json profile_array(const profile& of) {
  ordered_json lines = ordered_json::array();
  for (const profile_line& line : of) {
    lines.push_back({{"operation", line.operation},
                     {"layer", line.layer},
                     {"activity", to_string(line.activity)},
                     {"name", line.name},
                     {"count", line.count},
                     {"cpu_us", finite_or_null(line.cpu_us)},
                     {"gpu_us", finite_or_null(line.gpu_us)},
                     {"bytes", line.bytes}});
  }
  return lines;
}

ordered_json point_object(const loaded_point& of) {
  const attempt_record* last = of.last();
  ordered_json metrics = ordered_json::object();
  ordered_json accuracy = ordered_json::object();
  ordered_json series = ordered_json::object();
  if (last != nullptr) {
    for (const auto& [name, value] : last->metrics) metrics[name] = metric_object(value);
    for (const auto& [name, value] : last->accuracy) accuracy[name] = finite_or_null(value);
    for (const auto& [name, values] : last->series) {
      for (const double value : values) series[name].push_back(finite_or_null(value));
    }
  }
  ordered_json object = {
      {"system", of.point.system},
      {"device", of.point.device},
      {"clock", of.point.clock},
      {"status", last == nullptr ? ordered_json(nullptr) : ordered_json(to_string(last->status))},
      {"reason", last == nullptr ? "" : last->reason},
      {"label", of.point.label},
      {"settings", of.point.effective},
      {"requested_settings", of.point.requested},
      {"metrics", std::move(metrics)},
      {"accuracy", std::move(accuracy)},
      {"series", std::move(series)}};
  if (last != nullptr && !last->profiled.empty()) object["profile"] = profile_array(last->profiled);
  return object;
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of("\",\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string csv_number(double value) { return std::isfinite(value) ? fmt::format("{}", value) : ""; }

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (const std::string& field : fields) {
    if (&field != &fields.front()) line += ',';
    line += csv_field(field);
  }
  return line + "\r\n";
}

std::vector<std::string> csv_start(const loaded_run& run, const loaded_point& of) {
  const std::string_view status = of.last() == nullptr ? "" : to_string(of.last()->status);
  return {run.run.id, of.point.label, of.point.system, of.point.device, of.point.clock, std::string(status)};
}

}  // namespace

ordered_json export_json(const loaded_run& run) {
  ordered_json points = ordered_json::array();
  for (const loaded_point& point : run.points) points.push_back(point_object(point));
  ordered_json all = {{"run", run_object(run)}, {"environment", run.env}};
  for (const import_record& import : run.imports) all["imports"].push_back(import_object(run, import));
  all["points"] = std::move(points);
  return all;
}

std::string export_json_text(const loaded_run& run) {
  return export_json(run).dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string export_csv(const loaded_run& run) {
  std::string text = "run,label,system,device,clock,status,metric,median,lo,hi,n,unit\r\n";
  for (const loaded_point& point : run.points) {
    const std::vector<std::string> start = csv_start(run, point);
    const auto line = [&](std::vector<std::string> rest) {
      rest.insert(rest.begin(), start.begin(), start.end());
      text += csv_line(rest);
    };
    if (point.last() == nullptr || point.last()->metrics.empty()) {
      line({"", "", "", "", "", ""});
      continue;
    }
    for (const auto& [name, value] : point.last()->metrics) {
      line({name, csv_number(value.median), csv_number(value.lo), csv_number(value.hi),
            fmt::format("{}", value.n), value.unit});
    }
  }
  return text;
}

}  // namespace results
