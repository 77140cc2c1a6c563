#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "ess_core/model/presets.h"
#include "harness/calibration/calibration.h"
#include "harness/calibration/rank_calibration.h"
#include "harness/command_line/command.h"
#include "harness/execution/run.h"
#include "results/export.h"
#include "results/store.h"

namespace harness {
namespace {

std::vector<std::string> preset_names() {
  const auto names = ess::model_preset_names();
  return {names.begin(), names.end()};
}

struct calibrate_arguments {
  std::string device = "cpu";
  std::string database = default_database;
  int samples = 20;
  bool json = false;
  bool ranks = false;
  std::string profile = "ranks.json";
  std::string model = "mini_moe";
};

std::unique_ptr<ess::communicator> join() try {
  return ess::join_ranks({});
} catch (const ess::cannot_join& e) {
  refuse(exit_code::usage, e.what());
}

exit_code calibrate_all_ranks(const calibrate_arguments& arguments) {
  if (arguments.device != "cpu")
    refuse(exit_code::usage, fmt::format("--ranks measures the CPU device, not {}", arguments.device));
  const auto ranks = join();
  const workloads::hardware_profile profile = calibrate_ranks(*ranks, {.model = arguments.model});
  if (ranks->rank() != 0) return exit_code::ok;
  write_file("--profile", arguments.profile, profile_text(profile.hardware));
  tell(fmt::format("{} rank{}; simulate them with --device sim:{}", ranks->ranks(),
                   ranks->ranks() == 1 ? "" : "s", arguments.profile));
  return exit_code::ok;
}

exit_code calibrate(const calibrate_arguments& arguments) {
  if (arguments.ranks) return calibrate_all_ranks(arguments);
  const target on = load_target(arguments.device);
  if (on.is_simulated()) refuse(exit_code::usage, "--device: a simulated device has nothing to measure");
  results::store store = results::store::open(arguments.database);
  const auto steps = calibration_steps(on.family());
  const results::workload_record workload = calibration_record(steps);
  const results::environment machine_now = describe(on);
  const std::string run =
      store.begin_run(run_record_of(calibration_name, command_line(), machine_now), machine_now, workload);
  const auto probe = make_probe(on);
  for (const calibration_step& step : steps) {
    const results::point_record point = point_of(step, on, workload);
    store.register_point(run, point);
    store.record_attempt(run, point.identity, attempt_of(step, *probe, arguments.samples));
  }
  const auto loaded = store.load(run);
  if (!loaded) throw std::runtime_error("the run that was just stored cannot be found");
  print(arguments.json ? results::export_json_text(*loaded) : calibration_text(*loaded));
  if (on.family() == device_family::cuda_emulated) tell("note: the stand-in's times say nothing of a GPU");
  return exit_code::ok;
}

}  // namespace

void add_calibrate(CLI::App& app, action& chosen) {
  CLI::App* command = app.add_subcommand(
      "calibrate", "What the link and the memory of this machine can do, by copy engine and by kernel");
  auto arguments = std::make_shared<calibrate_arguments>();
  add_device_option(*command, arguments->device);
  CLI::Option* database = command->add_option("--db", arguments->database, "Database that keeps the results")
                              ->capture_default_str();
  CLI::Option* samples =
      command->add_option("--samples", arguments->samples, "Transfers of each kind that count")
          ->check(CLI::Range(1, 10'000))
          ->capture_default_str();
  CLI::Option* json = command->add_flag("--json", arguments->json, "As JSON");
  CLI::Option* ranks = command
                           ->add_flag("--ranks", arguments->ranks,
                                      "Instead: what operations take on the ranks of this machine, as a "
                                      "profile for the simulator; start it with mpirun")
                           ->excludes(database)
                           ->excludes(samples)
                           ->excludes(json);
  command->add_option("--profile", arguments->profile, "Profile to write")
      ->needs(ranks)
      ->capture_default_str();
  command->add_option("--model", arguments->model, "Model preset to measure")
      ->needs(ranks)
      ->check(CLI::IsMember(preset_names()))
      ->capture_default_str();
  command->callback([&chosen, arguments] { chosen = [arguments] { return calibrate(*arguments); }; });
}

}  // namespace harness
