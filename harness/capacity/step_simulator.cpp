#include "harness/capacity/step_simulator.h"

#include <limits>
#include <numeric>
#include <stdexcept>

#include "harness/execution/fixed_point.h"

namespace harness {
namespace {

// All steps are samples, and all are taken.
workloads::settings with_all_steps(workloads::settings s) {
  s.kind = workloads::workload_kind::fixed;
  s.accuracy.steps = 0;
  s.measure.warmup_steps = 0;
  s.measure.min_samples = s.measure.max_samples = s.steps;
  s.measure.max_seconds = std::numeric_limits<double>::max();
  return s;
}

planned_point planned(const workloads::settings& s, const target& on) {
  return plan_point({.label = "capacity", .requested = s}, on);
}

double median_of(const results::attempt_record& attempt, const char* metric, double otherwise) {
  const auto found = attempt.metrics.find(metric);
  return found == attempt.metrics.end() ? otherwise : found->second.median;
}

}  // namespace

step_simulator::step_simulator(const target& on, const workloads::settings& base)
    : on_(on), base_(with_all_steps(base)), silent_({.style = progress_style::silent}) {
  silent_.begin_point("capacity");
}

std::optional<workloads::settings> step_simulator::settings_of(const candidate& of) {
  workloads::settings s = base_;
  s.system = of.system;
  s.cluster.ep = of.expert_ranks;
  s.mtp = of.mtp;
  s.mtp_accept = of.accept;
  s.overlap = of.overlap;
  s.two_batch_overlap = of.two_batch_overlap;
  s.batch = workloads::max_batch{};
  if (of.sparse_ratio > 0) s.sparse_ratio = of.sparse_ratio;
  if (of.pools == pool_sizes::even) return s;
  const auto weights = weights_of(s);
  if (!weights) return std::nullopt;
  s.pool_weights = *weights;
  return s;
}

std::optional<std::string> step_simulator::weights_of(const workloads::settings& s) {
  const planned_point even = planned(s, on_);
  auto found = shares_.find(s.mtp);
  if (found == shares_.end()) {
    found = shares_
                .try_emplace(s.mtp, even.simulated->locality, even.model.layers, even.model.top_k,
                             s.context_tokens, s.mtp)
                .first;
  }
  const auto one = ess::make_layout(even.shape, *even.system, 1, 1);
  return found->second.weights(one.device_rows);
}

planned_point step_simulator::plan(const workloads::settings& s) const { return planned(s, on_); }

memory_bound step_simulator::bound_of(const planned_point& largest) const {
  const std::int32_t more = largest.batch_max + 1;
  const auto items = ess::memory_items(ess::make_layout(largest.shape, *largest.system, more, more));
  const auto over = [&](ess::memory_tier tier, ess::byte_count budget) {
    return budget.value > 0 && total(items, tier) > budget;
  };
  if (over(ess::memory_tier::device, largest.budgets.device)) return memory_bound::device;
  return over(ess::memory_tier::host, largest.budgets.host) ? memory_bound::host : memory_bound::none;
}

std::optional<simulated_steps> step_simulator::run(workloads::settings s, int batch) {
  s.batch = batch;
  const planned_point plan = planned(s, on_);
  if (plan.verdict != plan_verdict::ok) throw std::logic_error("a batch that fits: " + plan.reason);
  results::attempt_record attempt;
  ++runs_;
  try {
    fixed_point point(plan, {.shared = machine_, .report = silent_, .ranks = *alone_}, attempt);
    point.check();
    while (point.wants_more()) point.take_turn();
    point.finish();
  } catch (const ess::sim::beyond_table&) {
    return std::nullopt;
  }
  const std::vector<double>& us = attempt.samples.at("step_time_us");
  return simulated_steps{
      .step_us = std::accumulate(us.begin(), us.end(), 0.0) / static_cast<double>(us.size()),
      .hit_rate = median_of(attempt, "hit_rate", 1),
      .table_stretch = median_of(attempt, "table_stretch", 1),
      .device_bytes = total(plan.memory, ess::memory_tier::device).value,
      .host_bytes = total(plan.memory, ess::memory_tier::host).value};
}

}  // namespace harness
