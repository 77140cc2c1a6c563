#include "results/google_benchmark.h"

#include <fmt/format.h>

#include "results/shallow_json.h"

namespace results {
namespace {

using nlohmann::json;

void add_repetition(const json& row, benchmark_rows& to) {
  to.threads = row.value("threads", to.threads);
  to.label = row.value("label", to.label);
  to.time_unit = row.value("time_unit", to.time_unit);
  if (row.value("error_occurred", false)) to.error = row.at("error_message").get<std::string>();
  if (row.value("skipped", false)) to.skipped = row.at("skip_message").get<std::string>();
  for (const auto& [key, value] : row.items()) {
    if (value.is_number_float()) to.values[key].push_back(value.get<double>());
  }
}

}  // namespace

json parse_benchmark_json(std::string_view text, std::string_view file) {
  if (auto parsed = parse_shallow_json(text)) return *std::move(parsed);
  try {
    [[maybe_unused]] const json faulty = json::parse(text);
  } catch (const json::exception& e) {
    throw bench_error(fmt::format("{}: {}", file, e.what()));
  }
  throw bench_error(fmt::format("{}: nested deeper than {} levels", file, deepest_json));
}

benchmark_report read_benchmark_report(std::string_view text, std::string_view file) {
  const json document = parse_benchmark_json(text, file);
  benchmark_report report;
  std::map<std::string, std::size_t> places;
  try {
    report.context = document.at("context").get<json::object_t>();
    for (const json& row : document.at("benchmarks")) {
      if (row.at("run_type") != "iteration") continue;
      const auto name = row.at("run_name").get<std::string>();
      const auto [place, is_new] = places.emplace(name, report.benchmarks.size());
      if (is_new) report.benchmarks.push_back({.name = name});
      add_repetition(row, report.benchmarks[place->second]);
    }
  } catch (const json::exception& e) {
    throw bench_error(fmt::format("{}: {}", file, e.what()));
  }
  return report;
}

}  // namespace results
