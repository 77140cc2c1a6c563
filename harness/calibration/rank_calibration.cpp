#include "harness/calibration/rank_calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "ess_core/device/cpu/cpu_device.h"
#include "ess_core/engine/decode_engine.h"
#include "harness/execution/attempt.h"
#include "harness/execution/machine.h"
#include "results/statistics.h"

namespace harness {
namespace {

using ess::op_kind;
using ess::sim::evidence;

// us by kind of operation, then by (query tokens, second size of the table).
using sizes = std::pair<int, int>;
using times = std::map<op_kind, std::map<sizes, std::vector<double>>>;

bool is_timed(op_kind kind) { return !ess::crosses_link(kind); }  // the link has figures of its own

planned_point point_of(const rank_calibration_options& options, workloads::system_kind system, int batch,
                       int context, int ranks) {
  workloads::settings s;
  s.system = system;
  s.model.preset = options.model;
  s.batch = batch;
  s.context_tokens = context;
  s.steps = options.steps;
  s.sparse_ratio = 0.5;
  s.overlap = workloads::overlap_mode::da;
  target on;
  on.set_ranks(ranks);
  return plan_point({.label = "calibration", .requested = s}, on);
}

double mean(const std::vector<double>& of) {
  return std::accumulate(of.begin(), of.end(), 0.0) / static_cast<double>(of.size());
}

// With a core for each rank the median is what an operation takes. With fewer some of them are interrupted
// and take many times as long, and a step is the sum of all.
bool share_cores(ess::communicator& ranks) {
  return share_of_cores(ranks).of > ess::default_compute_threads();
}

// Over steps and layers of one batch.
void measure(machine& here, ess::communicator& ranks, const planned_point& plan, int steps, bool share,
             times& into) {
  const ess::memory_layout layout = plan.layout();
  const auto device = here.make_device(plan);
  device->allocate(layout, static_cast<std::uint64_t>(plan.point.requested.seed));
  ess::decode_engine engine(*device, *plan.system, here.prefill(plan.model, plan.point.requested),
                            engine_options_of(plan, layout));
  std::vector<ess::request> requests;
  for (std::int32_t i = 0; i < plan.batch; ++i)
    requests.push_back({ranks.rank() * plan.batch + i, plan.point.requested.context_tokens, steps});
  engine.admit_batch(requests);
  std::map<op_kind, std::vector<double>> us;
  for (int step = 0; step < steps; ++step) {
    const ess::step_report report = engine.step();
    for (std::size_t i = 0; step > 0 && i < report.program->operations.size(); ++i) {
      const ess::op_timing& time = report.timing.operations[i];
      us[report.program->operations[i].kind].push_back((time.end - time.start).count());
    }
  }
  const int context = plan.point.requested.context_tokens;
  for (const auto& [kind, samples] : us) {
    if (!is_timed(kind)) continue;
    const int second = kind == op_kind::attend ? std::min(context, plan.model.top_k) : context;
    into[kind][{plan.batch, second}].push_back(share ? mean(samples) : results::median(samples));
  }
}

// Of all ranks.
double agreed(ess::communicator& ranks, const std::vector<double>& here) {
  double sum = 0;
  for (const std::string& text : ranks.gather(fmt::format("{}", mean(here)))) sum += std::stod(text);
  return sum / ranks.ranks();
}

ess::sim::cost_table table_of(ess::communicator& ranks, const std::map<sizes, std::vector<double>>& samples,
                              const std::string& source) {
  constexpr double shortest = 1e-3;  // us: a table's times are above zero
  std::vector<ess::sim::table_curve> curves;
  for (const auto& [at, here] : samples) {
    if (curves.empty() || curves.back().x != at.first) curves.push_back({static_cast<double>(at.first), {}});
    curves.back().points.push_back({static_cast<double>(at.second), std::max(shortest, agreed(ranks, here))});
  }
  return {std::move(curves), evidence::measured, source};
}

void set(ess::sim::figure& figure, double value, const char* source) {
  figure = {.value = value, .level = evidence::assumed, .source = source};
}

nlohmann::ordered_json as_json(const ess::sim::cost_table& table, bool has_x) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const ess::sim::table_curve& curve : table.curves()) {
    for (const ess::sim::table_point& point : curve.points) {
      if (has_x) {
        rows.push_back({curve.x, point.y, point.us});
      } else {
        rows.push_back({point.y, point.us});
      }
    }
  }
  return {{"level", to_string(table.level())}, {"source", table.source()}, {"rows", rows}};
}

}  // namespace

workloads::hardware_profile calibrate_ranks(ess::communicator& ranks,
                                            const rank_calibration_options& options) {
  times all;
  machine here(ranks);
  const bool share = share_cores(ranks);
  for (const auto system : {workloads::system_kind::ess, workloads::system_kind::all_gpu}) {
    times of_system;
    for (const int context : options.contexts) {
      for (const int batch : options.batches) {
        const planned_point plan = point_of(options, system, batch, context, ranks.ranks());
        if (plan.verdict != plan_verdict::ok) throw ess::unsupported(plan.reason);
        measure(here, ranks, plan, options.steps, share, of_system);
      }
    }
    for (auto& [kind, samples] : of_system) all[kind] = std::move(samples);  // what both have: of all_gpu
  }
  const auto base = workloads::find_profile("generic");
  if (!base) throw std::runtime_error(to_string(base.error()));
  workloads::hardware_profile out{.hardware = base->hardware, .sha256 = {}};
  ess::sim::hardware& hw = out.hardware;
  hw.name = fmt::format("calibrated_ep{}", ranks.ranks());
  hw.description = fmt::format("Operations of {} as {} rank{} of one machine took them, on the CPU device",
                               options.model, ranks.ranks(), ranks.ranks() == 1 ? "" : "s");
  hw.nodes = 1;
  hw.expert_ranks = ranks.ranks();
  for (const ess::sim::table_field& field : ess::sim::table_fields()) hw.*field.member = {};
  const std::string source =
      fmt::format("essbench calibrate --ranks, {} steps of each size", options.steps - 1);
  for (const auto& [kind, samples] : all)
    hw.operations[static_cast<std::size_t>(kind)] = table_of(ranks, samples, source);
  set(hw.gpus_per_node, ranks.ranks(), "the ranks of this machine");
  set(hw.gather_gb_per_s, options.gather_gb_per_s, "the paced link");
  set(hw.scatter_gb_per_s, options.gather_gb_per_s, "the paced link");
  set(hw.copy_in_gb_per_s, options.copy_gb_per_s, "the paced link");
  set(hw.copy_out_gb_per_s, options.copy_gb_per_s, "the paced link");
  set(hw.call_in_us, options.call_us, "the paced link");
  set(hw.call_out_us, options.call_us, "the paced link");
  set(hw.gather_latency_us, 1, "the paced link is not bound by what is on its way");
  set(hw.gather_in_flight_bytes, 1e9, "the paced link is not bound by what is on its way");
  set(hw.gather_sm_share, 0, "the paced link sleeps");
  set(hw.kernel_us, 1e-3, "operations have their own times");
  set(hw.step_us, 1e-3, "nothing runs beside the operations");
  set(hw.host_gb_per_s, 1e6, "the paced link is far below what memory does");
  set(hw.network_sm_share, 1, "the rank's own thread copies its rows, on the core that computes");
  set(hw.network_link_share, 0, "the network is no part of the paced link");
  set(hw.imbalance, 0, "the times are those of the router's own choice");
  return out;
}

std::string profile_text(const ess::sim::hardware& of) {
  nlohmann::ordered_json figures, tables, operations;
  for (const auto& [name, member] : ess::sim::figure_fields()) {
    const ess::sim::figure& figure = of.*member;
    figures[std::string(name)] = {
        {"value", figure.value}, {"level", to_string(figure.level)}, {"source", figure.source}};
  }
  for (const ess::sim::table_field& field : ess::sim::table_fields()) {
    if (!(of.*field.member).empty())
      tables[std::string(field.name)] = as_json(of.*field.member, !field.x.empty());
  }
  for (int kind = 0; kind < ess::op_kind_count; ++kind) {
    const ess::sim::cost_table& table = of.operations[static_cast<std::size_t>(kind)];
    if (!table.empty()) operations[std::string(to_string(static_cast<op_kind>(kind)))] = as_json(table, true);
  }
  nlohmann::ordered_json out = {{"name", of.name},
                                {"description", of.description},
                                {"cluster", {{"nodes", of.nodes}, {"ep", of.expert_ranks}}},
                                {"figures", figures}};
  if (!tables.is_null()) out["tables"] = tables;
  if (!operations.is_null()) out["operations"] = operations;
  return out.dump(1) + "\n";
}

}  // namespace harness
