#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "harness/calibration/calibration.h"
#include "harness/command_line/command.h"
#include "harness/command_line/stored_run.h"
#include "results/across.h"
#include "results/compare.h"

namespace harness {
namespace {

struct compare_arguments {
  std::string a, b;
  bool across_machines = false;
};

exit_code compare_alike(const results::loaded_run& a, const results::loaded_run& b) {
  if (const auto unlike = results::unlike_environments(a.env, b.env); !unlike.empty()) {
    tell("essbench: the runs are of unlike environments, so their times are not compared:");
    for (const results::difference& d : unlike) tell(fmt::format("  {}: {} against {}", d.path, d.a, d.b));
    refuse(exit_code::incomparable, "--across-machines compares what does not depend on that");
  }
  const results::comparison result = results::compare(a, b);
  print(results::show_comparison(result));
  const bool any = std::any_of(result.points.begin(), result.points.end(),
                               [](const auto& p) { return p.incomparable.empty(); });
  return any ? exit_code::ok : exit_code::incomparable;
}

exit_code compare_runs(const compare_arguments& arguments) {
  const results::loaded_run a = load_named_run(arguments.a), b = load_named_run(arguments.b);
  if (!arguments.across_machines) return compare_alike(a, b);
  const auto calibration_a = load_latest_like(arguments.a, calibration_name, a.env);
  const auto calibration_b = load_latest_like(arguments.b, calibration_name, b.env);
  const results::across_comparison result = results::compare_across(
      {&a, calibration_a ? &*calibration_a : nullptr}, {&b, calibration_b ? &*calibration_b : nullptr});
  print(results::show_across(result));
  return result.figures.empty() ? exit_code::incomparable : exit_code::ok;
}

}  // namespace

void add_compare(CLI::App& app, action& chosen) {
  CLI::App* command = app.add_subcommand("compare", "Two runs side by side: medians, ratios, intervals");
  auto arguments = std::make_shared<compare_arguments>();
  command->add_option("A", arguments->a, "FILE, its latest run; or FILE:RUN")->required();
  command->add_option("B", arguments->b, "The same, to be compared with A")->required();
  command->add_flag("--across-machines", arguments->across_machines,
                    "Of unlike machines: gains, and shares of what `calibrate` found in the same database");
  command->callback([&chosen, arguments] { chosen = [arguments] { return compare_runs(*arguments); }; });
}

}  // namespace harness
