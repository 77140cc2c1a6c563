#include <fmt/format.h>

#include <algorithm>

#include "results/compare.h"
#include "results/text_table.h"

namespace results {
namespace {

std::string value_text(double value, const std::string& unit) {
  return unit.empty() ? fmt::format("{:.6g}", value) : fmt::format("{:.6g} {}", value, unit);
}

std::string ratio_text(const metric_comparison& of) {
  if (!of.ratio) return "-";
  std::string text = fmt::format("B is {:.2f} times A", *of.ratio);
  if (of.ratio_bounds) text += fmt::format(" [{:.3f}, {:.3f}]", of.ratio_bounds->lo, of.ratio_bounds->hi);
  return text;
}

std::string marker_of(const metric_comparison& of) {
  if (!of.ratio_bounds) return "";
  return of.ratio_bounds->contains(1.0) ? "~" : "*";
}

std::string run_line(const char* letter, const run_record& run) {
  return fmt::format("{}: run {}, workload {}, {}\n", letter, run.id, run.workload_name,
                     to_iso8601(run.started_at));
}

std::string differences_text(const comparison& of) {
  if (of.differences.empty()) return "\nbuild, workload and environment are the same\n";
  text_table table({{{"differs"}, alignment::left}, {{"A"}, alignment::left}, {{"B"}, alignment::left}});
  for (const difference& d : of.differences) table.add({d.path, d.a, d.b});
  return "\n" + table.text();
}

void add_point(const point_comparison& of, text_table& table) {
  const std::string name =
      of.label.starts_with(of.system) ? of.label : fmt::format("{} ({})", of.label, of.system);
  if (!of.incomparable.empty()) {
    table.add({name, "", "", "", "", fmt::format("incomparable: {}", of.incomparable)});
    return;
  }
  const auto add = [&](const metric_comparison& m) {
    table.add({name, m.name, value_text(m.a, m.unit), value_text(m.b, m.unit), marker_of(m), ratio_text(m)});
  };
  for (const metric_comparison& m : of.metrics) add(m);
  if (of.gain) add(*of.gain);
  if (!of.gain_incomparable.empty()) {
    table.add({name, "gain over all_gpu", "", "", "", fmt::format("incomparable: {}", of.gain_incomparable)});
  }
}

std::string points_text(const comparison& of) {
  if (of.points.empty()) return "\nno point is in both runs\n";
  text_table table({{{"point"}, alignment::left},
                    {{"metric"}, alignment::left},
                    {{"A"}},
                    {{"B"}},
                    {{""}, alignment::left},
                    {{"B against A"}, alignment::left}});
  for (const point_comparison& point : of.points) add_point(point, table);
  return "\n" + table.text() +
         "\n[ ] is the 95 % interval of the ratio of medians, where samples were stored\n"
         "* the interval leaves out 1: the two differ\n"
         "~ the interval contains 1: they may be the same\n";
}

std::string only_text(const char* letter, const std::vector<std::string>& labels) {
  if (labels.empty()) return "";
  return printable(fmt::format("only in {}: {}", letter, fmt::join(labels, ", "))) + "\n";
}

}  // namespace

std::string show_comparison(const comparison& of) {
  std::string text = run_line("A", of.a) + run_line("B", of.b) + differences_text(of) + points_text(of);
  const std::string rest = only_text("A", of.only_in_a) + only_text("B", of.only_in_b);
  return rest.empty() ? text : text + "\n" + rest;
}

}  // namespace results
