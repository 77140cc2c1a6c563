#include "results/bench_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "results/statistics.h"

namespace results {
namespace {

using nlohmann::json;

constexpr std::string_view ns_per_item = "ns_per_item";

[[noreturn]] void refuse(std::string_view file, std::string_view what) {
  throw bench_error(fmt::format("{}: {}", file, what));
}

void allow_only(const json& object, const std::set<std::string>& keys) {
  for (const auto& [key, value] : object.items())
    if (!keys.contains(key)) throw bench_error(fmt::format("unknown key '{}'", key));
}

std::optional<double> optional_number(const json& object, const char* key) {
  return object.contains(key) ? std::optional(object.at(key).get<double>()) : std::nullopt;
}

bench_source source_of(const json& object) {
  return {.benchmark = object.at("benchmark").get<std::string>(),
          .counter = object.at("counter").get<std::string>()};
}

bench_target target_of(const json& row) {
  allow_only(row, {"what", "benchmark", "counter", "against", "at_least", "at_most"});
  bench_target target{.what = row.at("what").get<std::string>(), .measured = source_of(row)};
  if (row.contains("against")) {
    const json& against = row.at("against");
    allow_only(against, {"what", "benchmark", "counter"});
    target.against_what = against.at("what").get<std::string>();
    target.against = source_of(against);
  }
  target.at_least = optional_number(row, "at_least");
  target.at_most = optional_number(row, "at_most");
  if (target.at_least && target.at_most) throw bench_error("one of 'at_least' and 'at_most', not both");
  return target;
}

}  // namespace

std::vector<bench_target> read_bench_targets(std::string_view text, std::string_view file) {
  const json document = parse_benchmark_json(text, file);
  std::vector<bench_target> targets;
  try {
    allow_only(document, {"rows"});
    for (const json& row : document.at("rows")) targets.push_back(target_of(row));
  } catch (const std::exception& e) {
    refuse(file, fmt::format("row {}: {}", targets.size() + 1, e.what()));
  }
  return targets;
}

void bench_results::add(std::string_view text, std::string_view file) {
  benchmark_report report = read_benchmark_report(text, file);
  for (const auto& [key, value] : report.context.items())
    if (value.is_string()) context_.emplace(key, value.get<std::string>());
  for (benchmark_rows& rows : report.benchmarks) {
    const auto [at, is_new] = benchmarks_.try_emplace(rows.name, measured{.file = std::string(file)});
    if (!is_new) refuse(file, fmt::format("benchmark '{}' is in {}, too", rows.name, at->second.file));
    at->second.rows = std::move(rows);
  }
}

const benchmark_rows& bench_results::find(const std::string& benchmark) const {
  const auto found = benchmarks_.find(benchmark);
  if (found == benchmarks_.end())
    throw bench_error(fmt::format("no benchmark '{}' in the results", benchmark));
  return found->second.rows;
}

std::vector<double> bench_results::values(const bench_source& source) const {
  const bool inverse = source.counter == ns_per_item;
  const auto& counters = find(source.benchmark).values;
  const auto found = counters.find(inverse ? "items_per_second" : source.counter);
  if (found == counters.end())
    throw bench_error(fmt::format("benchmark '{}' has no counter '{}'", source.benchmark, source.counter));
  std::vector<double> values = found->second;
  if (inverse) std::ranges::transform(values, values.begin(), [](double rate) { return 1e9 / rate; });
  return values;
}

std::string bench_results::skipped(const bench_source& source) const {
  const benchmark_rows& rows = find(source.benchmark);
  return rows.error.empty() ? rows.skipped : rows.error;
}

double bench_row::shortfall() const {
  if (verdict != bench_verdict::short_of) return 0;
  return target.at_least ? 1 - judged() / *target.at_least : judged() / *target.at_most - 1;
}

namespace {

bench_verdict verdict_of(const bench_row& row) {
  const bench_target& t = row.target;
  if (!t.at_least && !t.at_most) return bench_verdict::no_bound;
  const bool met = t.at_least ? row.judged() >= *t.at_least : row.judged() <= *t.at_most;
  return met ? bench_verdict::met : bench_verdict::short_of;
}

bench_row judge_one(const bench_target& target, const bench_results& measured) {
  bench_row row{.target = target, .reason = measured.skipped(target.measured)};
  if (row.reason.empty() && target.against) row.reason = measured.skipped(*target.against);
  if (!row.reason.empty()) {
    row.verdict = bench_verdict::not_measured;
    return row;
  }
  const std::vector<double> values = measured.values(target.measured);
  row.value = median(values);
  const auto [least, most] = std::ranges::minmax(values);
  row.spread = (most - least) / 2 / row.value;
  if (target.against) {
    row.against = median(measured.values(*target.against));
    row.ratio = row.value / *row.against;
  }
  row.verdict = verdict_of(row);
  return row;
}

}  // namespace

std::vector<bench_row> judge(const std::vector<bench_target>& targets, const bench_results& measured) {
  std::vector<bench_row> rows;
  for (const bench_target& target : targets) rows.push_back(judge_one(target, measured));
  return rows;
}

}  // namespace results
