#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "results/judging/judge.h"
#include "results/markdown.h"
#include "results/text_table.h"

namespace results {
namespace {

std::string change_text(double ratio) { return fmt::format("{:+.1f} %", 100 * (ratio - 1)); }

std::string bounds_text(const interval& of) {
  return fmt::format("[{}, {}]", change_text(of.lo), change_text(of.hi));
}

std::string value_text(double value, const std::string& unit) {
  return unit.empty() ? fmt::format("{:.4g}", value) : fmt::format("{:.6g} {}", value, unit);
}

std::string name_of(const judgement& of) {
  return of.label.starts_with(of.system) ? of.label : fmt::format("{} ({})", of.label, of.system);
}

std::string threshold_text(const judgement& of) {
  return fmt::format("{:.1f} %{}", 100 * of.threshold,
                     of.floor_is_measured && of.floor == of.threshold ? " (noise)" : "");
}

std::string operation_text(const operation_change& of) {
  return fmt::format("{} {:.0f} -> {:.0f} us ({})", of.kind, of.before_us, of.after_us,
                     change_text(of.ratio));
}

// Why, or which operations.
std::string remark_of(const judgement& of) {
  std::string text = of.why;
  for (const operation_change& op : of.operations) {
    if (!text.empty()) text += "; ";
    text += operation_text(op);
  }
  return text;
}

// Timed ones always; counts only where they changed.
bool is_worth_a_line(const judgement& of) { return of.what != verdict::same || of.p.has_value(); }

// What a table says of one judgement, in whatever form.
std::vector<std::string> cells_of(const judgement& of) {
  if (of.what == verdict::incomparable)
    return {name_of(of), of.metric, "", "", "", "", "", std::string(to_string(of.what)), remark_of(of)};
  return {name_of(of),
          of.metric,
          value_text(of.before, of.unit),
          value_text(of.after, of.unit),
          change_text(of.ratio),
          of.bounds.lo == of.bounds.hi ? "" : bounds_text(of.bounds),
          threshold_text(of),
          std::string(to_string(of.what)),
          remark_of(of)};
}

const std::vector<std::string>& headings() {
  static const std::vector<std::string> all = {
      "point", "metric", "before", "after", "change of cost", "95 % interval", "threshold", "verdict", "why"};
  return all;
}

std::string arm_line(const char* which, const run_record& run, std::size_t runs) {
  return fmt::format("{}: {} run{} of workload {}, essbench {}{}{}, the last {}\n", which, runs,
                     runs == 1 ? "" : "s", run.workload_name, run.essbench_version,
                     run.git_revision.empty() ? "" : ", revision " + run.git_revision.substr(0, 12),
                     run.git_dirty ? " with local changes" : "", to_iso8601(run.started_at));
}

std::string list_line(const char* what, const std::vector<std::string>& labels) {
  return labels.empty() ? "" : printable(fmt::format("{}: {}", what, fmt::join(labels, ", "))) + "\n";
}

std::string lists_of(const judged_arms& of) {
  return list_line("right before, wrong now", of.turned_incorrect) +
         list_line("measured before, not now", of.turned_failing) + list_line("only before", of.only_before) +
         list_line("only now", of.only_after);
}

std::string overall_line(const judged_arms& of) {
  if (!of.overall_ratio) return "";
  return fmt::format("step time over all points (geometric mean): {} {}\n", change_text(*of.overall_ratio),
                     bounds_text(of.overall_bounds));
}

std::string counts_of_verdicts(const judged_arms& of) {
  std::string text;
  for (int v = 0; v < verdict_count; ++v) {
    const auto count = std::ranges::count(of.judgements, static_cast<verdict>(v), &judgement::what);
    if (count > 0)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, to_string(static_cast<verdict>(v)));
  }
  return text.empty() ? "nothing to judge" : text;
}

std::string headline_of(const judged_arms& of) {
  if (!of.objections.empty()) return "incomparable: " + fmt::format("{}", fmt::join(of.objections, "; "));
  if (!of.turned_incorrect.empty()) return "wrong results";
  return counts_of_verdicts(of);
}

nlohmann::ordered_json operation_json(const operation_change& of) {
  return {{"operation", of.kind}, {"before_us", of.before_us}, {"after_us", of.after_us},
          {"ratio", of.ratio},    {"lo", of.bounds.lo},        {"hi", of.bounds.hi}};
}

nlohmann::ordered_json judgement_json(const judgement& of) {
  nlohmann::ordered_json made = {{"label", of.label},
                                 {"system", of.system},
                                 {"metric", of.metric},
                                 {"verdict", to_string(of.what)},
                                 {"why", of.why}};
  if (of.what == verdict::incomparable) return made;
  made.update({{"before", of.before},
               {"after", of.after},
               {"unit", of.unit},
               {"cost_ratio", of.ratio},
               {"lo", of.bounds.lo},
               {"hi", of.bounds.hi},
               {"p_adjusted", of.p ? nlohmann::ordered_json(*of.p) : nlohmann::ordered_json(nullptr)},
               {"threshold", of.threshold},
               {"floor", of.floor},
               {"floor_is_measured", of.floor_is_measured},
               {"blocks", of.blocks}});
  for (const operation_change& op : of.operations) made["operations"].push_back(operation_json(op));
  return made;
}

}  // namespace

std::string show_judged(const judged_arms& of) {
  std::string text =
      arm_line("before", of.before, of.runs_before) + arm_line("after ", of.after, of.runs_after);
  if (!of.objections.empty()) return text + "\n" + headline_of(of) + "\n";
  if (!of.interleaved) text += "the arms were not taken in turns\n";
  std::vector<table_column> columns;
  for (const std::string& heading : headings()) columns.push_back({{heading}, alignment::left});
  for (const std::size_t number : {2, 3, 4}) columns[number].align = alignment::right;
  text_table table(std::move(columns));
  for (const judgement& j : of.judgements) {
    if (is_worth_a_line(j)) table.add(cells_of(j));
  }
  return text + "\n" + table.text() + "\n" + lists_of(of) + overall_line(of) + headline_of(of) + "\n";
}

std::string judged_markdown(const judged_arms& of) {
  std::string text = fmt::format("**{}**\n\n", markdown_text(headline_of(of)));
  if (of.objections.empty()) {
    text += markdown_heading(headings());
    for (const judgement& j : of.judgements) {
      if (is_worth_a_line(j)) text += markdown_row(cells_of(j));
    }
    text += "\n" + lists_of(of) + overall_line(of);
  }
  return text + "\n" + arm_line("before", of.before, of.runs_before) + "\n" +
         arm_line("after", of.after, of.runs_after);
}

nlohmann::ordered_json judged_json(const judged_arms& of) {
  nlohmann::ordered_json made = {
      {"before", {{"run", of.before.id}, {"git_revision", of.before.git_revision}, {"runs", of.runs_before}}},
      {"after", {{"run", of.after.id}, {"git_revision", of.after.git_revision}, {"runs", of.runs_after}}},
      {"interleaved", of.interleaved},
      {"objections", of.objections},
      {"turned_incorrect", of.turned_incorrect},
      {"turned_failing", of.turned_failing},
      {"only_before", of.only_before},
      {"only_after", of.only_after},
      {"judgements", nlohmann::ordered_json::array()}};
  if (of.overall_ratio)
    made["overall"] = {
        {"ratio", *of.overall_ratio}, {"lo", of.overall_bounds.lo}, {"hi", of.overall_bounds.hi}};
  for (const judgement& j : of.judgements) made["judgements"].push_back(judgement_json(j));
  return made;
}

}  // namespace results
