#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "harness/command_line/command.h"
#include "harness/command_line/stored_run.h"
#include "results/export.h"
#include "results/show.h"
#include "results/show_profile.h"
#include "results/text_table.h"

namespace harness {
namespace {

struct show_arguments {
  std::string database = default_database;
  std::string run;
  bool operations = false;
  bool layers = false;
  bool profile = false;
  std::size_t first_steps = 0;
  bool runs = false;
  bool json = false;
};

exit_code show_runs(results::store& store) {
  for (const results::run_summary& r : store.runs()) {
    std::string points;
    for (const auto& [status, count] : r.points) points += fmt::format(" {} {}", count, to_string(status));
    if (r.untried > 0) points += fmt::format(" {} untried", r.untried);
    std::string origin =
        r.imported_from.empty() ? "" : fmt::format("  from {}", fmt::join(r.imported_from, ", "));
    print(fmt::format("{}  {}  {:<14}{}{}\n", r.run.id.substr(0, 8), results::to_iso8601(r.run.started_at),
                      r.run.workload_name, points, results::printable(origin)));
  }
  return exit_code::ok;
}

// Only the intervals of the table of a run are made of samples.
results::load_detail detail_of(const show_arguments& of) {
  const bool other = of.json || of.profile || of.layers || of.operations || of.first_steps > 0;
  return other ? results::load_detail::without_samples : results::load_detail::everything;
}

exit_code show(const show_arguments& arguments) {
  reading_store store = reading_store::open(arguments.database);
  if (arguments.runs) return show_runs(*store);
  const results::loaded_run run = load_run(*store, arguments.run, detail_of(arguments));
  if (arguments.json) {
    print(results::export_json_text(run));
  } else if (arguments.first_steps > 0) {
    print(results::show_series(run, results::series_kind::misses_by_step, arguments.first_steps));
  } else if (arguments.profile) {
    print(results::show_profile(run));
  } else if (arguments.layers) {
    print(results::show_series(run, results::series_kind::misses_by_layer, static_cast<std::size_t>(-1)));
  } else {
    print(arguments.operations ? results::show_operations(run) : results::show_run(run));
  }
  return exit_code::ok;
}

}  // namespace

void add_show(CLI::App& app, action& chosen) {
  CLI::App* command = app.add_subcommand("show", "Show a stored run");
  auto arguments = std::make_shared<show_arguments>();
  command->add_option("run", arguments->run, "Id of a run, or its beginning; the latest if left out");
  command->add_option("--db", arguments->database, "SQLite file with results")->capture_default_str();
  command->add_flag("--ops", arguments->operations, "Time by operation instead");
  command->add_flag("--layers", arguments->layers, "Misses by layer instead");
  command->add_flag("--profile", arguments->profile, "What a profiler saw instead (see docs/profiling.md)");
  command
      ->add_option("--first-steps", arguments->first_steps,
                   "Misses of the first N steps instead: what warming up does")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N");
  command->add_flag("--runs", arguments->runs, "List the runs of the database instead");
  command->add_flag("--json", arguments->json, "As JSON");
  command->callback([&chosen, arguments] { chosen = [arguments] { return show(*arguments); }; });
}

}  // namespace harness
