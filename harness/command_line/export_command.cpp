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
};

exit_code export_run(const export_arguments& arguments) {
  reading_store store = reading_store::open(arguments.database);
  const results::loaded_run run = load_run(*store, arguments.run);
  print(arguments.csv ? results::export_csv(run) : results::export_json_text(run));
  return exit_code::ok;
}

}  // namespace

void add_export(CLI::App& app, action& chosen) {
  CLI::App* command = app.add_subcommand("export", "A stored run as JSON (default) or CSV");
  auto arguments = std::make_shared<export_arguments>();
  command->add_option("run", arguments->run, "Id of a run, or its beginning; the latest if left out");
  command->add_option("--db", arguments->database, "SQLite file with results")->capture_default_str();
  auto* csv = command->add_flag("--csv", arguments->csv, "One line a point and metric");
  command->add_flag("--json", arguments->json, "One object")->excludes(csv);
  command->callback([&chosen, arguments] { chosen = [arguments] { return export_run(*arguments); }; });
}

}  // namespace harness
