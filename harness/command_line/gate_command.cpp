#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "harness/command_line/command.h"
#include "harness/command_line/measured_arms.h"
#include "harness/command_line/stored_run.h"
#include "harness/gating/gate.h"
#include "harness/gating/noise_draws.h"
#include "results/matching.h"

namespace harness {
namespace {

using results::verdict;

struct gate_arguments {
  std::string baseline, candidate;
  std::string baseline_program, candidate_program;
  std::string workload;
  std::vector<std::string> set, systems;
  std::string device = "cpu";
  std::size_t blocks = 10;
  std::string noise;
  std::optional<double> threshold_percent;
  bool strict = false;
  bool json = false;
  bool markdown = false;
};

// Floors are measured by draws; these are always the same ones.
constexpr std::size_t floor_draws = 10'000;
constexpr std::uint64_t floor_seed = 1;

// Nullopt: none was given.
std::optional<noise_recording> load_noise(const gate_arguments& arguments,
                                          const results::environment& machine) {
  if (arguments.noise.empty()) return std::nullopt;
  auto recording = load_recording(arguments.noise);
  if (!recording) refuse(exit_code::bad_data, workloads::to_string(recording.error()));
  if (const auto unlike = results::unlike_environments(recording->machine, machine); !unlike.empty()) {
    refuse(exit_code::incomparable,
           fmt::format("{}: recorded on another machine: {} is {} there, {} here", arguments.noise,
                       unlike.front().path, unlike.front().a, unlike.front().b));
  }
  return *std::move(recording);
}

results::noise_floors floors_at(const std::optional<noise_recording>& noise, std::size_t blocks) {
  return noise ? floors_of(*noise, all_runs(*noise), blocks, floor_draws, floor_seed)
               : results::noise_floors{};
}

gate_options options_of(const gate_arguments& arguments, std::size_t blocks,
                        const results::environment& machine) {
  const auto noise = load_noise(arguments, machine);
  gate_options options{.blocks = blocks,
                       .judging = {.floors = floors_at(noise, blocks)},
                       .floors_of_twice = floors_at(noise, 2 * blocks)};
  if (arguments.threshold_percent) options.judging.threshold = *arguments.threshold_percent / 100;
  return options;
}

gate_outcome judge_stored(const gate_arguments& arguments) {
  const results::arm candidate = load_stored_arm(arguments.candidate, arguments.workload);
  const results::arm baseline = load_stored_arm(arguments.baseline, candidate.back().run.workload_name);
  const std::size_t blocks = std::min(candidate.size(), baseline.size());
  return {.judged = results::judge(baseline, candidate,
                                   options_of(arguments, blocks, candidate.back().env).judging)};
}

gate_outcome measure(const gate_arguments& arguments) {
  measured_arms arms({.before = {.program = arguments.baseline_program, .database = arguments.baseline},
                      .after = {.program = arguments.candidate_program, .database = arguments.candidate},
                      .workload = arguments.workload,
                      .set = arguments.set,
                      .systems = arguments.systems,
                      .device = arguments.device});
  // The recording is held against the machine once there is a run that says what that is.
  two_arms first;
  arms.take(1, first);
  const gate_options options = options_of(arguments, arguments.blocks, first.after.back().env);
  return measure_and_judge(options, [&](std::size_t blocks, two_arms& into) {
    if (into.before.empty()) {
      into = std::move(first);
      --blocks;
    }
    arms.take(blocks, into);
  });
}

exit_code verdict_of(const results::judged_arms& of, const gate_arguments& arguments) {
  const auto comparable = [](const results::judgement& j) { return j.what != verdict::incomparable; };
  if (!of.turned_incorrect.empty()) return exit_code::incorrect;
  if (std::ranges::none_of(of.judgements, comparable)) return exit_code::incomparable;
  if (!of.turned_failing.empty()) return exit_code::points_failed;
  if (of.any(verdict::slower)) return exit_code::regression;
  return arguments.strict && of.any(verdict::ambiguous) ? exit_code::ambiguous : exit_code::ok;
}

void check(const gate_arguments& arguments) {
  const bool measures = !arguments.baseline_program.empty();
  if (measures && arguments.workload.empty())
    refuse(exit_code::usage, "--workload: what the programs are to run");
  if (!measures && (!arguments.set.empty() || !arguments.systems.empty()))
    refuse(exit_code::usage, "--set and --system: only with programs that run the workload");
}

exit_code gate(const gate_arguments& arguments) {
  check(arguments);
  const bool measures = !arguments.baseline_program.empty();
  const gate_outcome outcome = measures ? measure(arguments) : judge_stored(arguments);
  if (arguments.json) {
    auto all = judged_json(outcome.judged);
    all["measured_again"] = outcome.measured_again;
    print(all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  } else {
    print(arguments.markdown ? judged_markdown(outcome.judged) : show_judged(outcome.judged));
  }
  if (outcome.measured_again)
    tell("something looked slower, so it was measured again; the verdict is of all runs");
  if (!measures && outcome.judged.any(verdict::slower))
    tell(
        "judged as stored; give --baseline-program and --candidate-program to measure again before a "
        "verdict");
  return verdict_of(outcome.judged, arguments);
}

}  // namespace

void add_gate(CLI::App& app, action& chosen) {
  CLI::App* command = app.add_subcommand(
      "gate",
      "Is a candidate slower than a baseline? Judges two databases, or two programs that it runs in turns");
  auto arguments = std::make_shared<gate_arguments>();
  command->add_option("--baseline", arguments->baseline, "Database of the runs before")->required();
  command->add_option("--candidate", arguments->candidate, "Database of the runs after")->required();
  command->add_option("--workload", arguments->workload,
                      "Which workload's runs; with programs, what they run (a name or a file)");
  auto* before = command
                     ->add_option("--baseline-program", arguments->baseline_program,
                                  "The essbench before: run in turns with the candidate's")
                     ->check(CLI::ExistingFile);
  auto* after = command->add_option("--candidate-program", arguments->candidate_program, "The essbench after")
                    ->check(CLI::ExistingFile);
  before->needs(after);
  after->needs(before);
  command
      ->add_option("--blocks", arguments->blocks,
                   "Runs of each program; as many again where something looks slower")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--set", arguments->set, "For the programs: set any field of the workload")
      ->expected(1)
      ->take_all()
      ->type_name("PATH=VALUE");
  command->add_option("--system", arguments->systems, "For the programs: only points of this system")
      ->expected(1)
      ->take_all()
      ->type_name("SYSTEM");
  add_device_option(*command, arguments->device);
  command->add_option(
      "--noise", arguments->noise,
      "Recording of `essbench noise --out`: changes below its floor are noise; without one the whole "
      "interval must be beyond the threshold");
  command
      ->add_option("--threshold", arguments->threshold_percent,
                   "Percent by which a time must change to matter, in place of the metrics' own")
      ->check(CLI::Range(0.0, 1000.0));
  command->add_flag("--strict", arguments->strict,
                    "Exit with 2 if something is ambiguous and nothing is slower");
  auto* json = command->add_flag("--json", arguments->json, "As JSON");
  command->add_flag("--markdown", arguments->markdown, "As Markdown, for a pull request")->excludes(json);
  command->callback([&chosen, arguments] { chosen = [arguments] { return gate(*arguments); }; });
}

}  // namespace harness
