#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "harness/command_line/command.h"
#include "harness/command_line/measured_arms.h"
#include "harness/execution/fixed_point.h"
#include "harness/gating/noise_recording.h"
#include "harness/gating/program.h"
#include "harness/gating/qualification.h"
#include "results/text_table.h"

namespace harness {
namespace {

struct noise_arguments {
  workload_arguments workload{.workload = "gate"};
  std::string device = "cpu";
  std::string database = "noise.db";
  std::size_t runs = 40;
  std::string out, from;
  qualification_options qualify;
  bool json = false;
};

// Twice what a gate takes at most, so that stretches of a run differ.
constexpr std::int32_t longer = 2;

noise_recording record(const noise_arguments& arguments) {
  const workloads::workload workload = load(arguments.workload);
  std::vector<std::pair<std::string, stopping_options>> stopping;
  std::size_t most = 0;
  for (const workloads::point& point : workload.points) {
    if (point.requested.kind != workloads::workload_kind::fixed)
      refuse(exit_code::usage, fmt::format("{}: its noise cannot be recorded: requests arrive", point.label));
    stopping.emplace_back(point.label, stopping_of(point.requested));
    most = std::max(most, stopping.back().second.max_samples);
  }
  measured_arms_options options{.workload = arguments.workload.workload,
                                .set = arguments.workload.set,
                                .systems = arguments.workload.systems,
                                .device = arguments.device};
  for (const char* path : {"steps", "measure.min_samples", "measure.max_samples"})
    options.set.push_back(fmt::format("{}={}", path, longer * most));
  options.set.emplace_back("measure.max_seconds=600");
  const measured_arm self{.program = own_program(), .database = arguments.database};
  results::arm runs;
  for (std::size_t i = 0; i < arguments.runs; ++i) {
    runs.push_back(run_once(self, options));
    tell(fmt::format("run {} of {}", i + 1, arguments.runs));
  }
  noise_recording made = recording_of(runs, workload.name, stopping);
  if (made.points.empty()) refuse(exit_code::points_failed, "no point was ok in every run");
  return made;
}

noise_recording recording(const noise_arguments& arguments) {
  if (arguments.from.empty()) return record(arguments);
  auto read = load_recording(arguments.from);
  if (!read) refuse(exit_code::bad_data, workloads::to_string(read.error()));
  return *std::move(read);
}

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::string share_text(std::size_t part, std::size_t all) {
  return percent(static_cast<double>(part) / static_cast<double>(all));
}

nlohmann::ordered_json qualification_json(const qualification& of, const results::noise_floors& floors,
                                          const qualification_options& options) {
  nlohmann::ordered_json made = {{"blocks", options.blocks},
                                 {"pairs", of.pairs},
                                 {"false_alarms", of.false_alarms},
                                 {"false_praise", of.false_praise},
                                 {"measured_again", of.measured_again}};
  for (const qualified_point& point : of.points) {
    const results::noise_floor& floor = floors.at({point.label, "step_time_us"});
    made["points"].push_back({{"label", point.label},
                              {"floor_interleaved", floor.interleaved},
                              {"floor_sequential", floor.sequential},
                              {"slowdown", point.slowdown},
                              {"found", point.found}});
  }
  return made;
}

std::string qualification_text(const qualification& of, const results::noise_floors& floors,
                               const noise_recording& recording, const qualification_options& options) {
  using results::alignment;
  results::text_table table({{{"point"}, alignment::left},
                             {{"median", "ms"}},
                             {{"floor,", "in turns"}},
                             {{"floor, one", "after the other"}},
                             {{"slowdown", "added"}},
                             {{"found"}}});
  for (std::size_t i = 0; i < of.points.size(); ++i) {
    std::vector<double> medians;
    for (const auto& run : recording.points[i].runs) medians.push_back(results::median(run));
    const results::noise_floor& floor = floors.at({of.points[i].label, "step_time_us"});
    table.add({of.points[i].label, fmt::format("{:.2f}", results::median(medians) * 1e-3),
               percent(floor.interleaved), percent(floor.sequential), percent(of.points[i].slowdown),
               share_text(of.points[i].found, of.pairs)});
  }
  return fmt::format(
      "workload {}, {} runs of one build, {} blocks a gate\n\n{}\n"
      "{} pairs of arms that differ by nothing: {} called slower ({}), {} faster ({}), {} measured again "
      "({})\n"
      "floor: 99.9 % of such pairs differ by less, over all runs. Alarms and slowdowns were tried on the "
      "second half of\n"
      "the runs, with floors from the first.\n",
      recording.workload, recording.points.front().runs.size(), options.blocks, table.text(), of.pairs,
      of.false_alarms, share_text(of.false_alarms, of.pairs), of.false_praise,
      share_text(of.false_praise, of.pairs), of.measured_again, share_text(of.measured_again, of.pairs));
}

exit_code noise(const noise_arguments& arguments) {
  const noise_recording of = recording(arguments);
  if (!arguments.out.empty()) write_file("--out", arguments.out, to_text(of));
  if (all_runs(of).end < 8)
    refuse(exit_code::usage,
           fmt::format("{} runs: alarms and floors need 8, half of them each", all_runs(of).end));
  const qualification made = qualify(of, arguments.qualify);
  const results::noise_floors floors = floors_of(of, all_runs(of), arguments.qualify.blocks,
                                                 arguments.qualify.floor_draws, arguments.qualify.seed);
  print(arguments.json ? qualification_json(made, floors, arguments.qualify).dump(2) + "\n"
                       : qualification_text(made, floors, of, arguments.qualify));
  return exit_code::ok;
}

}  // namespace

void add_noise(CLI::App& app, action& chosen) {
  CLI::App* command = app.add_subcommand(
      "noise",
      "What chance alone does to a gate on this machine: its floor, false alarms, and what it finds");
  auto arguments = std::make_shared<noise_arguments>();
  command->add_option("workload", arguments->workload.workload, "A shipped workload's name, or a file")
      ->capture_default_str();
  command->add_option("--set", arguments->workload.set, "Set any field of the workload")
      ->expected(1)
      ->take_all()
      ->type_name("PATH=VALUE");
  command->add_option("--system", arguments->workload.systems, "Only points of this system; may be repeated")
      ->expected(1)
      ->take_all()
      ->type_name("SYSTEM");
  add_device_option(*command, arguments->device);
  command->add_option("--runs", arguments->runs, "Runs to record")
      ->check(CLI::Range(8, 10'000))
      ->capture_default_str();
  command->add_option("--db", arguments->database, "Database of the recorded runs")->capture_default_str();
  command->add_option("--out", arguments->out,
                      "Keep the step times in this file, for `essbench gate --noise`");
  command->add_option("--from", arguments->from, "Use such a file instead of recording")->excludes("--out");
  command->add_option("--blocks", arguments->qualify.blocks, "Runs of each arm in a gate")
      ->check(CLI::Range(6, 1000))
      ->capture_default_str();
  command->add_option("--pairs", arguments->qualify.pairs, "Pairs of arms to draw")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command->add_option("--seed", arguments->qualify.seed, "Of the draws")->capture_default_str();
  command->add_flag("--json", arguments->json, "As JSON");
  command->callback([&chosen, arguments] { chosen = [arguments] { return noise(*arguments); }; });
}

}  // namespace harness
