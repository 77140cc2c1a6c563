#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "harness/command_line/command.h"
#include "harness/command_line/stored_run.h"
#include "results/compare.h"

namespace harness {
namespace {

struct compare_arguments {
  std::string a, b;
};

exit_code compare_runs(const compare_arguments& arguments) {
  const results::comparison result =
      results::compare(load_named_run(arguments.a), load_named_run(arguments.b));
  print(results::show_comparison(result));
  const bool any = std::any_of(result.points.begin(), result.points.end(),
                               [](const auto& p) { return p.incomparable.empty(); });
  return any ? exit_code::ok : exit_code::incomparable;
}

}  // namespace

void add_compare(CLI::App& app, action& chosen) {
  CLI::App* command = app.add_subcommand("compare", "Two runs side by side: medians, ratios, intervals");
  auto arguments = std::make_shared<compare_arguments>();
  command->add_option("A", arguments->a, "FILE, its latest run; or FILE:RUN")->required();
  command->add_option("B", arguments->b, "The same, to be compared with A")->required();
  command->callback([&chosen, arguments] { chosen = [arguments] { return compare_runs(*arguments); }; });
}

}  // namespace harness
