// essbench plan-capacity
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "harness/command_line/command.h"
#include "harness/command_line/plan_capacity.h"
#include "workloads/spec.h"

namespace harness {
namespace {

// Enough to average over what the steps of four requests miss.
constexpr int default_steps = 8;

template <class Value, class Parse>
std::vector<Value> parse_all(const char* option, const std::vector<std::string>& names, Parse parse,
                             std::span<const std::string_view> known) {
  std::vector<Value> out;
  for (const std::string& name : names) {
    const auto value = parse(name);
    if (!value)
      refuse(exit_code::usage, fmt::format("{} {}: must be one of {}", option, name, fmt::join(known, ", ")));
    out.push_back(*value);
  }
  return out;
}

void check_set_paths(const std::vector<std::string>& paths) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 12> searched = {
      {{"system", "--system"},
       {"context_tokens", "--context"},
       {"batch", "the result"},
       {"mtp", "--mtp and --mtp-depths"},
       {"mtp_accept", "--accept"},
       {"sparse_ratio", "--ratios"},
       {"pool_rows", "--ratios"},
       {"pool_weights", "--per-layer"},
       {"overlap", "--overlaps"},
       {"two_batch_overlap", "--two-batch-overlap"},
       {"cluster.ep", "--ep"},
       {"kind", "always fixed"}}};
  for (const auto& [path, instead] : searched) {
    if (std::ranges::find(paths, path) != paths.end())
      refuse(exit_code::usage, fmt::format("--set {}: not here; it is {}", path, instead));
  }
}

// All that is not searched, as a workload of one point, so that the same rules hold as for files.
workloads::settings base_of(const plan_capacity_arguments& arguments, const ess::sim::hardware& hw) {
  const auto host = static_cast<std::int64_t>(hw.host_memory_bytes.value / hw.gpus_per_node.value);
  const nlohmann::json text = {{"name", "plan_capacity"},  {"description", "The base of a search"},
                               {"kind", "fixed"},          {"systems", {"ess"}},
                               {"steps", default_steps},   {"device_budget_bytes", usable_bytes(hw).value},
                               {"host_budget_bytes", host}};
  workloads::spec_options options{
      .set = {"model.preset=" + arguments.model, fmt::format("context_tokens={}", arguments.context)}};
  options.set.insert(options.set.end(), arguments.set.begin(), arguments.set.end());
  const auto base = workloads::parse_workload(text.dump(), "--set", options);
  if (!base) refuse(exit_code::usage, to_string(base.error()));
  std::vector<std::string> paths;
  for (const std::string& set : arguments.set) paths.push_back(set.substr(0, set.find('=')));
  check_set_paths(paths);
  if (base->points.size() != 1) refuse(exit_code::usage, "--set: one value a path; lists are not searched");
  return base->points.front().requested;
}

search_space space_of(const plan_capacity_arguments& arguments, const ess::sim::hardware& hw) {
  const auto chance = draft_chance_of(arguments.mtp, arguments.accept);
  if (!chance) {
    refuse(exit_code::usage, fmt::format("--accept {}: a step of --mtp {} keeps 1 to {} tokens",
                                         arguments.accept, arguments.mtp, arguments.mtp));
  }
  search_space out{
      .systems = parse_all<workloads::system_kind>("--system", arguments.systems, workloads::parse_system,
                                                   workloads::system_names()),
      .expert_ranks = arguments.ranks.empty() ? std::vector{hw.expert_ranks} : arguments.ranks,
      .mtp_depths = arguments.mtp == 1 ? std::vector{1} : arguments.depths,
      .ratios = arguments.ratios,
      .pools = {pool_sizes::even},
      .overlaps = parse_all<workloads::overlap_mode>("--overlaps", arguments.overlaps,
                                                     workloads::parse_overlap, workloads::overlap_names()),
      .draft_chance = *chance};
  if (arguments.per_layer) out.pools.push_back(pool_sizes::by_layer);
  if (arguments.two_batch_overlap != "on") out.two_batch_overlap.push_back(false);
  if (arguments.two_batch_overlap != "off") out.two_batch_overlap.push_back(true);
  return out;
}

void tell_progress(const candidate& of, int done, int all) {
  constexpr int lines = 8;
  if (done * lines / all == (done - 1) * lines / all) return;
  tell(fmt::format("{} of {} deployments simulated, the last: {}, MTP {}", done, all,
                   workloads::to_string(of.system), of.mtp));
}

exit_code plan_capacity(const plan_capacity_arguments& arguments) {
  const target on = load_target("sim:" + arguments.profile);
  const ess::sim::hardware& hw = on.profile().hardware;
  const capacity_demand demand{
      .base = base_of(arguments, hw), .space = space_of(arguments, hw), .tpot_limit_ms = arguments.tpot_ms};
  const capacity_answer answer = search_capacity(demand, on, tell_progress);
  const capacity_plan plan{.asked = arguments, .demand = demand, .profile = on.profile(), .answer = answer};
  print(arguments.json ? capacity_json(plan) : capacity_text(plan));
  if (!answer.best.empty()) return exit_code::ok;
  tell(answer.points.empty() ? "no deployment fits the memory"
                             : fmt::format("nothing meets {} ms a token; the lowest reached is {:.2f} ms",
                                           arguments.tpot_ms, answer.lowest_tpot_ms));
  return exit_code::points_failed;
}

void add_demand(CLI::App& command, plan_capacity_arguments& into) {
  command.add_option("--profile", into.profile, "The hardware, such as h200_ep32, or a file")->required();
  command.add_option("--context", into.context, "Tokens of every request")
      ->required()
      ->check(CLI::Range(1, 1 << 24));
  command.add_option("--slo-tpot-ms", into.tpot_ms, "The most that an output token of a user may take")
      ->required()
      ->check(CLI::PositiveNumber);
  command.add_option("--model", into.model, "A preset")->capture_default_str();
  command.add_option("--mtp", into.mtp, "Query tokens of a step at which --accept was seen")
      ->check(CLI::Range(1, 4))
      ->capture_default_str();
  command.add_option("--accept", into.accept, "Mean tokens kept a step at that depth")->capture_default_str();
  command.add_option("--gpu-hour-price", into.gpu_hour_price, "For the cost of a million output tokens")
      ->check(CLI::PositiveNumber);
}

void add_space(CLI::App& command, plan_capacity_arguments& into) {
  const auto list = [&](const char* name, auto& values, const char* help) {
    return command.add_option(name, values, help)->delimiter(',')->capture_default_str();
  };
  list("--ep", into.ranks, "Expert ranks to choose from; default: the profile's")->check(CLI::Range(1, 4096));
  list("--system", into.systems, "Systems to choose from");
  list("--mtp-depths", into.depths, "Query tokens of a step to choose from")->check(CLI::Range(1, 4));
  list("--ratios", into.ratios, "Sparse ratios to choose from")->check(CLI::Range(1e-6, 1.0));
  list("--overlaps", into.overlaps, "Overlaps to choose from");
  command.add_option("--two-batch-overlap", into.two_batch_overlap, "on, off, or both to choose from")
      ->check(CLI::IsMember({"both", "on", "off"}))
      ->capture_default_str();
  command.add_flag("--per-layer", into.per_layer,
                   "Also pools by layer, as many rows in all, split by the model of locality");
}

}  // namespace

void add_plan_capacity(CLI::App& app, action& chosen) {
  CLI::App* command = app.add_subcommand(
      "plan-capacity",
      "The deployment with the highest throughput within a time per output token, simulated");
  auto arguments = std::make_shared<plan_capacity_arguments>();
  add_demand(*command, *arguments);
  add_space(*command, *arguments);
  command->add_option("--set", arguments->set, "Set any other field: --set host_budget_bytes=0")
      ->expected(1)
      ->take_all()
      ->type_name("PATH=VALUE");
  command->add_flag("--json", arguments->json, "As JSON");
  command->callback([&chosen, arguments] { chosen = [arguments] { return plan_capacity(*arguments); }; });
}

}  // namespace harness
