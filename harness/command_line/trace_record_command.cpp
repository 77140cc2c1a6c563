// essbench trace record
#include <CLI/CLI.hpp>
#include <memory>
#include <new>

#include "harness/command_line/trace_commands.h"
#include "harness/execution/record_trace.h"

namespace harness {
namespace {

struct record_arguments {
  workload_arguments workload;
  std::string out;
  std::int32_t steps = 256;
  bool json = false;
};

// What decides the ids is the same for all systems and batches of a workload, so its first point will do.
planned_point point_to_record(const workloads::workload& workload) {
  if (workload.kind != workloads::workload_kind::fixed) {
    refuse(exit_code::usage,
           fmt::format("trace record {}: a workload of arriving requests has no one context; use a fixed one",
                       workload.name));
  }
  planned_point plan = plan_point(workload.points.front());
  if (plan.verdict == plan_verdict::unsupported)
    refuse(exit_code::usage, fmt::format("trace record {}: {}", workload.name, plan.reason));
  return plan;
}

ess::index_trace recorded(const planned_point& plan, std::int32_t steps) try {
  const auto alone = ess::make_lone_communicator();
  machine here(*alone);
  return record_trace(plan, here, steps);
} catch (const std::bad_alloc&) {
  refuse(exit_code::usage, "trace record: this machine has no memory for the model and its caches");
}

exit_code record(const record_arguments& arguments) {
  const workloads::workload workload = load(arguments.workload);
  const planned_point plan = point_to_record(workload);
  const ess::index_trace trace = recorded(plan, arguments.steps);
  const auto& settings = plan.point.requested;
  workloads::trace_manifest manifest;
  manifest.source =
      fmt::format("recorded: indexer of {}, request 0 of {} tokens, seed {}, workload {}, device cpu",
                  plan.model.name, settings.context_tokens, settings.seed, workload.name);
  write_trace_and_manifest(arguments.out, trace, manifest);
  print_trace(arguments.out, manifest, arguments.json);
  return exit_code::ok;
}

}  // namespace

void add_trace_record(CLI::App& trace, action& chosen) {
  CLI::App* command =
      trace.add_subcommand("record", "A trace file from a workload's model: what its indexer selects");
  const auto arguments = std::make_shared<record_arguments>();
  add_workload_arguments(*command, arguments->workload);
  command->add_option("--out", arguments->out, "The trace file to write")->required();
  command->add_option("--steps", arguments->steps, "Query tokens")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "As JSON");
  command->callback([&chosen, arguments] { chosen = [arguments] { return record(*arguments); }; });
}

}  // namespace harness
