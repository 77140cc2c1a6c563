#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "results/bench_table.h"
#include "results/text_table.h"

namespace results {
namespace {

struct scaled {
  double by;
  std::string_view prefix;
};

// Three figures and a prefix.
std::string with_unit(double value, std::string_view unit) {
  constexpr std::array<scaled, 4> scales = {{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}}};
  const scaled* scale = scales.begin();
  while (scale->by > 1 && std::fabs(value) < scale->by) ++scale;
  const double shown = value / scale->by;
  const int decimals = shown < 9.995 ? 2 : shown < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}{}", shown, decimals, scale->prefix, unit);
}

std::string number(double value, std::string_view counter) {
  if (counter == "ns_per_item") return fmt::format("{:.2f} ns", value);
  if (counter == "bytes_per_second") return with_unit(value, "B/s");
  if (counter == "items_per_second") return with_unit(value, "/s");
  if (counter == "flops") return with_unit(value, "FLOP/s");
  return with_unit(value, "");
}

std::string value_of(const bench_row& row) {
  if (row.verdict == bench_verdict::not_measured) return "-";
  return fmt::format("{} ±{:.0f} %", number(row.value, row.target.measured.counter), 100 * row.spread);
}

std::string against_of(const bench_row& row) {
  if (!row.target.against) return "";
  return row.against ? fmt::format("{}: {}", row.target.against_what,
                                   number(*row.against, row.target.against->counter))
                     : row.target.against_what;
}

std::string ratio(double value) { return fmt::format("{:.2f}x", value); }

std::string reach_of(const bench_row& row) {
  const bench_target& t = row.target;
  if (!t.at_least && !t.at_most) return "";
  const double bound = t.at_least ? *t.at_least : *t.at_most;
  return (t.at_least ? "≥ " : "≤ ") + (t.against ? ratio(bound) : number(bound, t.measured.counter));
}

std::string verdict_of(const bench_row& row) {
  switch (row.verdict) {
    case bench_verdict::met:
      return "met";
    case bench_verdict::short_of:
      return fmt::format("short by {:.0f} %", std::ceil(100 * row.shortfall()));
    case bench_verdict::not_measured:
      return "not measured: " + row.reason;
    case bench_verdict::no_bound:
      break;
  }
  return "";
}

std::array<std::string, 6> cells_of(const bench_row& row) {
  return {row.target.what, value_of(row),  against_of(row), row.ratio ? ratio(*row.ratio) : "",
          reach_of(row),   verdict_of(row)};
}

constexpr std::array<const char*, 6> headings = {"what",  "measured", "floor or rival",
                                                 "ratio", "reach",    "verdict"};

// Of what programs say of the machine: what decides how fast it can be.
std::map<std::string, std::string> machine(const bench_results& measured) {
  std::map<std::string, std::string> known;
  for (const char* key : {"simd", "gemm"})
    if (const auto found = measured.context().find(key); found != measured.context().end())
      known.insert(*found);
  return known;
}

std::string machine_line(const bench_results& measured) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : machine(measured)) parts.push_back(key + " " + value);
  return fmt::format("{}", fmt::join(parts, ", "));
}

constexpr std::string_view how_to_read =
    "Medians over repetitions in one run, ± half of their range; ratio: measured over floor or rival.";

}  // namespace

std::string_view to_string(bench_verdict verdict) {
  switch (verdict) {
    case bench_verdict::met:
      return "met";
    case bench_verdict::short_of:
      return "short";
    case bench_verdict::not_measured:
      return "not_measured";
    case bench_verdict::no_bound:
      break;
  }
  return "no_bound";
}

std::string bench_table_text(const std::vector<bench_row>& rows, const bench_results& measured) {
  std::vector<table_column> columns;
  for (std::size_t c = 0; c < headings.size(); ++c)
    columns.push_back({{headings[c]}, c == 0 || c == 2 || c == 5 ? alignment::left : alignment::right});
  text_table table(std::move(columns));
  for (const bench_row& row : rows) {
    const auto cells = cells_of(row);
    table.add({cells.begin(), cells.end()});
  }
  return fmt::format("{}\n\n{}\n{}\n", machine_line(measured), table.text(), how_to_read);
}

std::string bench_table_markdown(const std::vector<bench_row>& rows, const bench_results& measured) {
  std::string text = fmt::format("{}\n\n| {} |\n|---|--:|---|--:|--:|---|\n", machine_line(measured),
                                 fmt::join(headings, " | "));
  for (const bench_row& row : rows) text += fmt::format("| {} |\n", fmt::join(cells_of(row), " | "));
  return fmt::format("{}\n{}\n", text, how_to_read);
}

nlohmann::ordered_json bench_table_json(const std::vector<bench_row>& rows, const bench_results& measured) {
  nlohmann::ordered_json all = {{"context", machine(measured)}, {"rows", nlohmann::ordered_json::array()}};
  for (const bench_row& row : rows) {
    nlohmann::ordered_json one = {{"what", row.target.what}, {"verdict", to_string(row.verdict)}};
    if (row.verdict == bench_verdict::not_measured) {
      one["reason"] = row.reason;
    } else {
      one["value"] = row.value;
      one["counter"] = row.target.measured.counter;
      one["spread"] = row.spread;
    }
    if (row.target.against) one["against_what"] = row.target.against_what;
    if (row.against) one["against"] = *row.against;
    if (row.ratio) one["ratio"] = *row.ratio;
    if (row.target.at_least) one["at_least"] = *row.target.at_least;
    if (row.target.at_most) one["at_most"] = *row.target.at_most;
    all["rows"].push_back(std::move(one));
  }
  return all;
}

}  // namespace results
