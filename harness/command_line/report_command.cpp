#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "harness/command_line/command.h"
#include "harness/command_line/repeat.h"
#include "harness/command_line/stored_run.h"
#include "results/export.h"
#include "results/report/report.h"

namespace harness {
namespace {

using nlohmann::json;

struct report_arguments {
  std::string run;
  std::string html;
  std::string curve;
  std::string baseline;
  bool markdown = false;
  bool csv = false;
  bool json = false;

  // What goes to stdout if nothing is said.
  [[nodiscard]] bool wants_markdown() const { return markdown || (html.empty() && !csv && !json); }
};

[[noreturn]] void refuse_curve(const std::string& file, const std::string& what) {
  refuse(exit_code::bad_data,
         fmt::format("{}: {}; `essbench trace curve TRACE --json > {}` writes what is needed", file, what,
                     file));
}

bool is_curve_size(const json& size) {
  if (!size.is_object() || !size.contains("pool_rows")) return false;
  return std::ranges::all_of(size, [](const json& value) { return value.is_number() || value.is_null(); });
}

json read_curve(const std::string& file) {
  const auto text = workloads::read_text(file);
  if (!text) refuse(exit_code::bad_data, to_string(text.error()));
  json curve = json::parse(*text, nullptr, false);
  if (curve.is_discarded()) refuse_curve(file, "is no JSON");
  const json::json_pointer sizes("/mean/misses");
  const bool fits = curve.is_object() && curve.contains(sizes) && curve.at(sizes).is_array() &&
                    !curve.at(sizes).empty() && std::ranges::all_of(curve.at(sizes), is_curve_size);
  if (!fits) refuse_curve(file, "is no miss curve: no list of pool sizes at mean.misses");
  return curve;
}

std::optional<results::judged_arms> judge_against(const report_arguments& arguments,
                                                  const std::string& workload) {
  if (arguments.baseline.empty()) return std::nullopt;
  return results::judge(load_stored_arm(arguments.baseline, workload),
                        load_stored_arm(database_of(arguments.run), workload));
}

exit_code report_run(const report_arguments& arguments) {
  const results::loaded_run run = load_named_run(arguments.run);
  results::report_extras extras{.repeat = repeat_commands(run), .published = published_rows(run)};
  const auto judged = judge_against(arguments, run.run.workload_name);
  if (judged) extras.comparison = &*judged;
  if (!arguments.curve.empty()) extras.curve = read_curve(arguments.curve);
  const results::report report = results::make_report(run, std::move(extras));
  if (!arguments.html.empty()) {
    write_file("--html", arguments.html, results::report_html(report));
    if (!results::report_has_charts())
      tell(
          "note: the report has tables and no charts: essbench was built without Chart.js (Debian package "
          "libjs-chart.js)");
  }
  if (arguments.csv) print(results::export_csv(run));
  if (arguments.json) print(results::export_json_text(run));
  if (arguments.wants_markdown()) print(results::report_markdown(report));
  return exit_code::ok;
}

}  // namespace

void add_report(CLI::App& app, action& chosen) {
  CLI::App* command = app.add_subcommand(
      "report", "What was run, whether it is right, how fast it is and why: one HTML file, or Markdown");
  auto arguments = std::make_shared<report_arguments>();
  command->add_option("RUN", arguments->run, "FILE, its latest run; or FILE:RUN")->required();
  command->add_option("--html", arguments->html, "Write a page with charts that needs no network")
      ->type_name("FILE");
  auto* markdown =
      command->add_flag("--markdown", arguments->markdown, "For a pull request (default without --html)");
  auto* csv = command->add_flag("--csv", arguments->csv, "One line a point and metric")->excludes(markdown);
  command->add_flag("--json", arguments->json, "One object")->excludes(markdown)->excludes(csv);
  command
      ->add_option("--curve", arguments->curve,
                   "Miss curves of a trace to draw beside the run's: JSON of `trace curve --json`")
      ->type_name("FILE");
  command
      ->add_option("--baseline", arguments->baseline,
                   "Database to judge against, as `essbench gate` does: the runs of the last build in either")
      ->type_name("FILE");
  command->callback([&chosen, arguments] { chosen = [arguments] { return report_run(*arguments); }; });
}

}  // namespace harness
