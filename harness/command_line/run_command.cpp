#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "harness/command_line/run_arguments.h"
#include "harness/execution/published.h"
#include "harness/execution/ranks.h"
#include "harness/execution/run.h"
#include "harness/measure/cancellation.h"
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
std::string resume_hint(const run_arguments& arguments, const target& on) {
  return fmt::format("interrupted; resume with: {}{}{}",
                     on.ranks() > 1 ? fmt::format("mpirun -n {} ", on.ranks()) : "", command_line(),
                     arguments.resume ? "" : " --resume");
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

void tell_results(const run_arguments& arguments, const workloads::workload& workload, const target& on,
                  results::store& store, const run_outcome& outcome) {
  const auto loaded = store.load(outcome.run_id);
  if (!loaded) throw std::runtime_error("the run that was just stored cannot be found");
  if (on.family() == device_family::cpu) warn_of_slow_gemm(loaded->env);
  print(arguments.json ? results::export_json_text(*loaded)
                       : results::show_run(*loaded) + published_text(workload, *loaded));
  for (const std::string& text : outcome.notes)
    tell(fmt::format("note: {} (not judged: --set changed the workload)", text));
  for (const std::string& text : outcome.unmet) tell(fmt::format("expectation not met: {}", text));
  tell(fmt::format("run {} in {}", outcome.run_id, arguments.database));
  if (outcome.cancelled) tell(resume_hint(arguments, on));
}

// The same for all shards, so that they are one run once they are put together.
std::string id_of_sweep(const run_arguments& arguments, const workloads::workload& workload, const target& on,
                        const shard& part) {
  return results::run_id_of(
      fmt::format("{}\n{}\n{}\n{} shards", arguments.sweep, workload.hash, on.device(), part.of));
}

void must_be_new(results::store& store, const std::string& run_id) {
  if (!store.load(run_id, results::load_detail::without_samples)) return;
  refuse(exit_code::bad_data,
         fmt::format("{} has this sweep already; --resume goes on with it, --sweep NAME begins another",
                     store.file().string()));
}

// One that ends at once would take down the first rank before that has stored what happened.
constexpr std::chrono::seconds grace_for_the_store{3};

// What else must be the same on every rank.
std::string options_of(const run_arguments& arguments) {
  return fmt::format("{}{}{}", arguments.resume ? "--resume " : "",
                     arguments.shard.empty() ? "" : "--shard " + arguments.shard,
                     arguments.sweep.empty() ? "" : " --sweep " + arguments.sweep);
}

exit_code run_as_rank(const run_arguments& arguments, const workloads::workload& workload, const target& on,
                      ess::communicator& ranks) {
  if (ranks.ranks() > 1)
    check_same(ranks, facts_of_this_process(on.device(), workload.resolved_json, options_of(arguments)));
  const bool first = ranks.rank() == 0;
  const shard part = parse_shard(arguments.shard).value_or(shard{});
  const std::string run_id = arguments.shard.empty() ? "" : id_of_sweep(arguments, workload, on, part);
  std::optional<results::store> store;
  if (first) store.emplace(results::store::open(arguments.database));
  if (first && !run_id.empty() && !arguments.resume) must_be_new(*store, run_id);
  const run_outcome outcome =
      run_workload(workload, store ? &*store : nullptr, ranks,
                   {.mode = arguments.resume ? resume_mode::resume : resume_mode::fresh,
                    .style = arguments.quiet || !first ? progress_style::silent : style_for(stderr),
                    .command_line = command_line(),
                    .on = on,
                    .part = part,
                    .run_id = run_id});
  if (first) tell_results(arguments, workload, on, *store, outcome);
  if (outcome.ranks_lost.empty()) return verdict_of(outcome);
  tell(fmt::format("essbench: {}", outcome.ranks_lost));
  if (!first) std::this_thread::sleep_for(grace_for_the_store);
  const exit_code code = verdict_of(outcome);
  ranks.abort(static_cast<int>(code));
  return code;
}

std::unique_ptr<ess::communicator> join(const run_arguments& arguments, const target& on) {
  const auto patience = std::chrono::duration<double>(arguments.rank_patience_s);
  if (on.is_simulated() && ess::launched_ranks() > 1)
    refuse(exit_code::usage,
           fmt::format("{} simulates all ranks in one process; start it without mpirun", on.device()));
  try {
    return ess::join_ranks({.patience = std::chrono::duration_cast<std::chrono::milliseconds>(patience),
                            .interrupted = [] { return cancellation::is_requested(); }});
  } catch (const ess::cannot_join& e) {
    refuse(exit_code::usage, e.what());
  }
}

exit_code run(const run_arguments& arguments) {
  target on = load_target(arguments.device);
  const workloads::workload workload = load(arguments.workload);
  const auto ranks = join(arguments, on);
  on.set_ranks(ranks->ranks());
  try {
    return run_as_rank(arguments, workload, on, *ranks);
  } catch (const rank_mismatch& e) {
    refuse(exit_code::bad_data, e.what());  // all ranks have found it
  } catch (const refused&) {
    ranks->give_up("it was refused, as the first rank says");
    throw;
  } catch (const ess::rank_failure& e) {
    tell(fmt::format("essbench: {}", e.what()));
    return exit_code::interrupted;
  } catch (const std::exception& e) {
    ranks->give_up(e.what());
    throw;
  }
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
  CLI::Option* part =
      command.add_option("--shard", into.shard,
                         "I/N: only the I-th of N equal parts of the plan, each for another machine; "
                         "`essbench import` puts their databases together");
  part->check([](const std::string& text) {
    return parse_shard(text) ? std::string() : fmt::format("'{}' is not like 2/4", text);
  });
  command
      .add_option("--sweep", into.sweep, "A name that the shards of one sweep share, where there are several")
      ->needs(part);
  command
      .add_option("--rank-patience", into.rank_patience_s,
                  "Under mpirun: seconds that a rank waits for the others before it takes them for lost")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
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
