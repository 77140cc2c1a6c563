#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "harness/command_line/command.h"
#include "harness/command_line/stored_run.h"
#include "results/export.h"

namespace harness {
namespace {

struct export_arguments {
  std::string database = default_database;
  std::string run;
  bool csv = false;
  bool json = false;
  bool damaged = false;
};

// Of a file that read_only refuses: what can be read, and word of what cannot.
results::loaded_run salvage_run(const export_arguments& arguments, std::vector<std::string>& lost) {
  auto store = results::store::open(arguments.database, {.mode = results::open_mode::damaged});
  const auto wanted = arguments.run.empty() ? store.latest_run() : std::optional(arguments.run);
  auto run = wanted ? store.salvage(*wanted, lost) : std::nullopt;
  if (!run) {
    refuse(exit_code::bad_data,
           fmt::format("{}: no run '{}' can be read in it", arguments.database, wanted.value_or("")));
  }
  for (const std::string& part : lost) tell("lost: " + part);
  return *std::move(run);
}

exit_code export_run(const export_arguments& arguments) {
  std::vector<std::string> lost;
  const results::loaded_run run = arguments.damaged
                                      ? salvage_run(arguments, lost)
                                      : load_run(*reading_store::open(arguments.database), arguments.run,
                                                 results::load_detail::without_samples);
  print(arguments.csv ? results::export_csv(run) : results::export_json_text(run));
  return lost.empty() ? exit_code::ok : exit_code::bad_data;
}

}  // namespace

void add_export(CLI::App& app, action& chosen) {
  CLI::App* command = app.add_subcommand("export", "A stored run as JSON (default) or CSV");
  auto arguments = std::make_shared<export_arguments>();
  command->add_option("run", arguments->run, "Id of a run, or its beginning; the latest if left out");
  command->add_option("--db", arguments->database, "SQLite file with results")->capture_default_str();
  auto* csv = command->add_flag("--csv", arguments->csv, "One line a point and metric");
  command->add_flag("--json", arguments->json, "One object")->excludes(csv);
  command->add_flag(
      "--damaged", arguments->damaged,
      "Of a damaged file: what can still be read; what cannot is told, and the exit code is then 65");
  command->callback([&chosen, arguments] { chosen = [arguments] { return export_run(*arguments); }; });
}

}  // namespace harness
