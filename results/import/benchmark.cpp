#include "results/import/benchmark.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include "ess_core/base/digest.h"
#include "results/statistics.h"
#include "results/store.h"

namespace results {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(std::string_view file, const std::string& what) {
  throw bench_error(fmt::format("{}: {}", file, what));
}

// "2025-11-24T03:18:05+02:00", which is 01:18:05 UTC.
std::optional<utc_time> time_of(std::string_view text) {
  static constexpr std::size_t size = 25, zone = 19;
  if (text.size() != size || (text[zone] != '+' && text[zone] != '-')) return std::nullopt;
  const auto local = parse_iso8601(fmt::format("{}.000Z", text.substr(0, zone)));
  // The zone as a time of the first day that there is.
  const auto ahead = parse_iso8601(fmt::format("1970-01-01T{}:00.000Z", text.substr(zone + 1)));
  if (!local || !ahead) return std::nullopt;
  return text[zone] == '+' ? *local - ahead->time_since_epoch() : *local + ahead->time_since_epoch();
}

double in_us(const std::string& unit, std::string_view file) {
  if (unit == "ns") return 1e-3;
  if (unit == "us") return 1;
  if (unit == "ms") return 1e3;
  if (unit == "s") return 1e6;
  refuse(file, fmt::format("'{}' is no unit of time", unit));
}

// The file does not say what a counter counts; these are named so by Google Benchmark and by our programs.
std::string unit_of(std::string_view counter) {
  if (counter == "bytes_per_second") return "B/s";
  return counter == "flops" || counter.ends_with("_per_second") ? "1/s" : "";
}

json cache_of(const json& of) {
  return {{"level", of.value("level", json())},
          {"type", of.value("type", json())},
          {"bytes", of.value("size", json())},
          {"shared_by", of.value("num_sharing", json())}};
}

// In the form of essbench's own; what a program says of itself is under "benchmark".
environment environment_of(const json& context, host_name_hash hash) {
  const auto known = [&](const char* key) { return context.value(key, json()); };
  environment env = {{"cpu",
                      {{"logical_cores", known("num_cpus")},
                       {"max_mhz", known("mhz_per_cpu")},
                       {"scaling", known("cpu_scaling_enabled")},
                       {"caches", json::array()}}},
                     {"system", {{"host_hash", hash(context.value("host_name", ""))}}},
                     {"load", {{"averages", known("load_avg")}}},
                     {"build",
                      {{"benchmark_library", known("library_version")},
                       {"benchmark_library_type", known("library_build_type")}}},
                     {"benchmark", json::object()}};
  for (const json& cache : context.value("caches", json::array())) {
    env["cpu"]["caches"].push_back(cache_of(cache));
  }
  static const std::set<std::string> of_library = {"date",     "host_name",          "executable",
                                                   "num_cpus", "mhz_per_cpu",        "cpu_scaling_enabled",
                                                   "load_avg", "library_version",    "library_build_type",
                                                   "caches",   "json_schema_version"};
  for (const auto& [key, value] : context.items()) {
    if (!of_library.contains(key)) env["benchmark"][key] = value;
  }
  return env;
}

void add_times(const benchmark_rows& rows, std::string_view file, attempt_record& to) {
  const double scale = in_us(rows.time_unit, file);
  for (const char* clock : {"real_time", "cpu_time"}) {
    const auto at = rows.values.find(clock);
    if (at == rows.values.end()) refuse(file, fmt::format("benchmark '{}' has no {}", rows.name, clock));
    std::vector<double>& samples = to.samples[fmt::format("{}_us", clock)];
    for (const double value : at->second) samples.push_back(value * scale);
    to.metrics[fmt::format("{}_us", clock)] = summarise(samples, "us");
  }
}

attempt_record attempt_of(const benchmark_rows& rows, utc_time at, std::string_view file) {
  attempt_record made{.started_at = at, .ended_at = at};
  if (!rows.error.empty() || !rows.skipped.empty()) {
    made.status = rows.error.empty() ? attempt_status::unsupported : attempt_status::error;
    made.reason = rows.error.empty() ? rows.skipped : rows.error;
    return made;
  }
  add_times(rows, file, made);
  for (const auto& [counter, values] : rows.values) {
    if (counter == "real_time" || counter == "cpu_time") continue;
    made.metrics[counter] = summarise(values, unit_of(counter));
  }
  return made;
}

loaded_point point_of(const benchmark_rows& rows, const std::string& device, const std::string& workload) {
  loaded_point made{.point = {.label = rows.name,
                              .system = "benchmark",
                              .device = device,
                              .clock = "wall",
                              .requested = {{"threads", rows.threads}},
                              .effective = {{"threads", rows.threads}}}};
  if (!rows.label.empty()) made.point.effective["label"] = rows.label;
  made.point.identity = point_identity(made.point, workload);
  return made;
}

// Its hash is that of what is resolved, as with every workload.
workload_record workload_of(const std::string& executable) {
  const std::string name = "benchmark:" + std::filesystem::path(executable).filename().string();
  const std::string resolved = json{{"name", name}}.dump(-1, ' ', false, json::error_handler_t::replace);
  return {.name = name, .hash = ess::sha256_hex(resolved), .resolved_json = resolved};
}

loaded_run run_of(const benchmark_report& report, std::string_view file, host_name_hash hash) {
  if (report.benchmarks.empty()) {
    refuse(file,
           "no repetition of a benchmark in it; hint: run it without --benchmark_report_aggregates_only");
  }
  const auto executable = report.context.at("executable").get<std::string>();
  const auto date = report.context.at("date").get<std::string>();
  const auto at = time_of(date);
  if (!at) refuse(file, fmt::format("context.date '{}' is no time with a time zone", date));
  loaded_run made{.env = environment_of(report.context, hash), .workload = workload_of(executable)};
  made.run = {.started_at = *at, .command_line = executable, .workload_name = made.workload.name};
  // ess_cuda_kernels_bench says so; Google Benchmark knows no devices.
  const std::string device = report.context.contains("gpu") ? "cuda" : "cpu";
  for (const benchmark_rows& rows : report.benchmarks) {
    made.points.push_back(point_of(rows, device, made.workload.hash));
    made.points.back().attempts.push_back(attempt_of(rows, *at, file));
  }
  return made;
}

std::string text_in(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (!in) refuse(file.string(), "cannot be read");
  return text;
}

}  // namespace

bool looks_like_benchmark(std::string_view beginning) {
  const std::size_t at = beginning.find_first_not_of(" \t\r\n");
  return at != std::string_view::npos && beginning[at] == '{';
}

loaded_run run_of_benchmark(std::string_view text, std::string_view file, host_name_hash hash) {
  try {
    loaded_run made = run_of(read_benchmark_report(text, file), file, hash);
    made.run.id = run_id_of(text);
    return made;
  } catch (const json::exception& e) {
    refuse(file, fmt::format("context: {}", e.what()));
  }
}

import_report import_benchmark(const std::filesystem::path& source, const import_options& options,
                               host_name_hash hash) {
  loaded_run run = run_of_benchmark(text_in(source), source.string(), hash);
  const auto points = static_cast<std::int64_t>(run.points.size());
  const json& library = run.env["build"]["benchmark_library"];
  import_record from{.at = options.at,
                     .kind = "google_benchmark",
                     .file = source.string(),
                     .source_version = library.is_string() ? "library " + library.get<std::string>() : "",
                     .essbench_version = options.essbench_version,
                     .env = run.env,
                     .points = points,
                     .attempts = points};
  run.imports.push_back(from);
  const bool is_new = store::open(options.into).add_run(run);
  const auto count = [&](std::int64_t n) {
    return is_new ? import_count{.added = n} : import_count{.there = n};
  };
  return {.kind = from.kind,
          .source_version = from.source_version,
          .runs = count(1),
          .points = count(points),
          .attempts = count(points)};
}

}  // namespace results
