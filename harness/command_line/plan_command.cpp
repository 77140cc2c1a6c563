#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "harness/command_line/command.h"
#include "harness/planning/plan.h"

namespace harness {
namespace {

struct plan_arguments {
  workload_arguments workload;
  std::string device = "cpu";
  bool json = false;
};

nlohmann::ordered_json as_json(const planned_point& plan) {
  nlohmann::ordered_json memory = nlohmann::ordered_json::array();
  for (const ess::memory_item& item : plan.memory) {
    memory.push_back({{"what", item.what}, {"tier", ess::to_string(item.tier)}, {"bytes", item.bytes.value}});
  }
  return {{"label", plan.point.label},
          {"system", workloads::to_string(plan.point.requested.system)},
          {"verdict", to_string(plan.verdict)},
          {"reason", plan.reason},
          {"batch", plan.batch},
          {"batch_max", plan.batch_max},
          {"device_bytes", total(plan.memory, ess::memory_tier::device).value},
          {"host_bytes", total(plan.memory, ess::memory_tier::host).value},
          {"device_budget_bytes", plan.budgets.device.value},
          {"host_budget_bytes", plan.budgets.host.value},
          {"memory", memory}};
}

std::string as_row(const planned_point& plan) {
  const auto bytes = [&](ess::memory_tier tier) { return to_string(total(plan.memory, tier)); };
  return fmt::format(
      "{:<28}{:>7}{:>9}{:>12}{:>12}{:>12}  {}\n", plan.point.label, plan.batch,
      plan.batch_max > 0 ? std::to_string(plan.batch_max) : "-", bytes(ess::memory_tier::device),
      plan.budgets.device.value > 0 ? to_string(plan.budgets.device) : "unlimited",
      bytes(ess::memory_tier::host),
      plan.verdict == plan_verdict::ok ? "ok" : fmt::format("{}: {}", to_string(plan.verdict), plan.reason));
}

exit_code show_plan(const plan_arguments& arguments) {
  const target on = load_target(arguments.device);
  const workloads::workload workload = load(arguments.workload);
  const auto plans = plan_workload(workload, on);
  if (arguments.json) {
    nlohmann::ordered_json out = {
        {"workload", workload.name}, {"hash", workload.hash}, {"points", nlohmann::ordered_json::array()}};
    for (const planned_point& plan : plans) out["points"].push_back(as_json(plan));
    print(out.dump(2) + "\n");
    return exit_code::ok;
  }
  print(fmt::format("{:<28}{:>7}{:>9}{:>12}{:>12}{:>12}  {}\n", "point", "batch", "largest", "device",
                    "budget", "host", "verdict"));
  for (const planned_point& plan : plans) print(as_row(plan));
  return exit_code::ok;
}

}  // namespace

void add_plan(CLI::App& app, action& chosen) {
  CLI::App* command = app.add_subcommand("plan", "What would run: points, bytes per tier, largest batch");
  auto arguments = std::make_shared<plan_arguments>();
  add_workload_arguments(*command, arguments->workload);
  add_device_option(*command, arguments->device);
  command->add_flag("--json", arguments->json, "As JSON, with every allocation");
  command->callback([&chosen, arguments] { chosen = [arguments] { return show_plan(*arguments); }; });
}

}  // namespace harness
