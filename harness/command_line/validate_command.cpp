#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "harness/command_line/command.h"

namespace harness {
namespace {

struct validate_arguments {
  workload_arguments workload;
  bool json = false;
};

exit_code validate(const validate_arguments& arguments) {
  const workloads::workload workload = load(arguments.workload);
  if (arguments.json) {
    print(workload.resolved_json + "\n");
  } else {
    print(fmt::format("{}: valid, {}, {} points, hash {}\n", workload.name, to_string(workload.kind),
                      workload.points.size(), workload.hash.substr(0, 16)));
  }
  return exit_code::ok;
}

}  // namespace

void add_validate(CLI::App& app, action& chosen) {
  CLI::App* command = app.add_subcommand("validate", "Read and check a workload, run nothing");
  auto arguments = std::make_shared<validate_arguments>();
  add_workload_arguments(*command, arguments->workload);
  command->add_flag("--json", arguments->json, "Print the fully resolved workload");
  command->callback([&chosen, arguments] { chosen = [arguments] { return validate(*arguments); }; });
}

}  // namespace harness
