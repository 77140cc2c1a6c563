#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "harness/command_line/run_arguments.h"
#include "harness/execution/published.h"
#include "harness/execution/run.h"
#include "results/export.h"
#include "results/show.h"

namespace harness {
namespace {

void warn_of_slow_gemm(const results::environment& env) {
  const auto& gemm = env.at("gemm");
  const double share =
      gemm.at("gflops_one_thread").get<double>() / gemm.at("fma_gflops_one_thread").get<double>();
  if (share >= 0.4) return;
  tell(fmt::format(
      "warning: GEMM ({}) reaches {:.0f} % of the FMA rate of this core; times will not be representative",
      gemm.at("kernel").get<std::string>(), 100 * share));
}

// The command that goes on where this one stopped.
std::string resume_hint(const run_arguments& arguments) {
  const bool has_flag = arguments.resume;
  return fmt::format("interrupted; resume with: {}{}", command_line(), has_flag ? "" : " --resume");
}

std::string published_text(const workloads::workload& workload, const results::loaded_run& run) {
  if (!is_as_published(workload)) return {};
  const auto beside = beside_published(workload, run);
  const auto rms = rms_error(beside);
  if (!rms) return {};
  return fmt::format("\npublished, and what this run gave (root mean square of the differences {:.1f} %)\n{}",
                     100 * *rms, published_table(beside));
}

exit_code verdict_of(const run_outcome& outcome) {
  if (outcome.cancelled) return exit_code::interrupted;
  if (outcome.incorrect > 0) return exit_code::incorrect;
  return outcome.failed > 0 || !outcome.unmet.empty() ? exit_code::points_failed : exit_code::ok;
}

exit_code run(const run_arguments& arguments) {
  const target on = load_target(arguments.device);
  const workloads::workload workload = load(arguments.workload);
  results::store store = results::store::open(arguments.database);
  const run_outcome outcome =
      run_workload(workload, store,
                   {.mode = arguments.resume ? resume_mode::resume : resume_mode::fresh,
                    .style = arguments.quiet ? progress_style::silent : style_for(stderr),
                    .command_line = command_line(),
                    .on = on});
  const auto loaded = store.load(outcome.run_id);
  if (!loaded) throw std::runtime_error("the run that was just stored cannot be found");
  if (on.family() == device_family::cpu) warn_of_slow_gemm(loaded->env);
  print(arguments.json ? results::export_json_text(*loaded)
                       : results::show_run(*loaded) + published_text(workload, *loaded));
  for (const std::string& text : outcome.notes)
    tell(fmt::format("note: {} (not judged: --set changed the workload)", text));
  for (const std::string& text : outcome.unmet) tell(fmt::format("expectation not met: {}", text));
  tell(fmt::format("run {} in {}", outcome.run_id, arguments.database));
  if (outcome.cancelled) tell(resume_hint(arguments));
  return verdict_of(outcome);
}

}  // namespace

void add_run_arguments(CLI::App& command, run_arguments& into) {
  add_workload_arguments(command, into.workload);
  add_device_option(command, into.device);
  command.add_option("--db", into.database, "SQLite file for the results; made if missing")
      ->capture_default_str();
  command.add_flag("--resume", into.resume,
                   "Go on with the last run of this workload: only points without a result");
  command.add_flag("--json", into.json, "Print the results as JSON instead of a table");
  command.add_flag("--quiet", into.quiet, "No progress");
}

std::optional<run_arguments> read_run_arguments(const std::string& typed) {
  CLI::App app;
  CLI::App* command = app.add_subcommand("run");
  run_arguments read;
  add_run_arguments(*command, read);
  try {
    app.parse(typed, true);
  } catch (const CLI::ParseError&) {
    return std::nullopt;
  }
  return command->parsed() ? std::optional(read) : std::nullopt;
}

void add_run(CLI::App& app, action& chosen) {
  CLI::App* command =
      app.add_subcommand("run", "Run a workload: accuracy first, then times, into a database");
  auto arguments = std::make_shared<run_arguments>();
  add_run_arguments(*command, *arguments);
  command->callback([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace harness
