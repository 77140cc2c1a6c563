#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "harness/command_line/command.h"
#include "harness/command_line/stored_run.h"
#include "results/chrome_trace.h"

namespace harness {
namespace {

struct timeline_arguments {
  std::string database = default_database;
  std::string run;
  std::string point;
};

exit_code timeline(const timeline_arguments& arguments) {
  reading_store store = reading_store::open(arguments.database);
  const results::loaded_run run = load_run(*store, arguments.run, results::load_detail::without_samples);
  const std::string trace = results::chrome_trace(run, arguments.point);
  if (trace.empty()) {
    std::vector<std::string> labels;
    for (const results::loaded_point& point : run.points) labels.push_back(point.point.label);
    tell(arguments.point.empty()
             ? "essbench: no point of this run has a timeline"
             : fmt::format("essbench: --point {}: no such point with a timeline; the run has: {}",
                           arguments.point, fmt::join(labels, ", ")));
    return arguments.point.empty() ? exit_code::bad_data : exit_code::usage;
  }
  print(trace);
  return exit_code::ok;
}

}  // namespace

void add_timeline(CLI::App& app, action& chosen) {
  CLI::App* command = app.add_subcommand(
      "timeline", "When the operations of one step ran, as a Chrome trace: open it in ui.perfetto.dev");
  auto arguments = std::make_shared<timeline_arguments>();
  command->add_option("run", arguments->run, "Id of a run, or its beginning; the latest if left out");
  command->add_option("--db", arguments->database, "SQLite file with results")->capture_default_str();
  command->add_option("--point", arguments->point, "Only the point with this label");
  command->callback([&chosen, arguments] { chosen = [arguments] { return timeline(*arguments); }; });
}

}  // namespace harness
