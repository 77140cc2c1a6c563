#include "harness/execution/attempt.h"

#include <fmt/format.h>

#include <chrono>
#include <stdexcept>

#include "harness/accuracy/accuracy.h"
#include "results/statistics.h"
#include "workloads/number_list.h"

namespace harness {
namespace {

using results::attempt_record;
using results::attempt_status;

ess::warm_up_kind warm_up_of(workloads::warmup_mode mode) {
  switch (mode) {
    case workloads::warmup_mode::windows:
      return ess::warm_up_kind::windows;
    case workloads::warmup_mode::arbitrary:
      return ess::warm_up_kind::arbitrary;
    case workloads::warmup_mode::empty:
      return ess::warm_up_kind::empty;
  }
  throw std::logic_error("not a way to warm up");
}

}  // namespace

ess::engine_options engine_options_of(const planned_point& plan, const ess::memory_layout& layout) {
  const workloads::settings& s = plan.point.requested;
  return {.layout = layout,
          .seed = static_cast<std::uint64_t>(s.seed),
          .overlap = plan.overlap,
          .micro_batches = s.two_batch_overlap ? 2 : 1,
          .experts_elsewhere =
              plan.simulated != nullptr ? plan.simulated->cluster.expert_ranks > 1 : plan.expert_ranks() > 1,
          .layer_misses = workloads::parse_number_list(s.layer_misses).value(),
          .dba_from_misses = s.dba_from_misses > 0 ? s.dba_from_misses : 0.1 * plan.model.top_k,
          .mean_kept = s.mtp_accept,
          .warm_up = warm_up_of(s.warmup),
          .warm_up_windows = s.warmup_windows};
}

bool check_first(const planned_point& plan, const attempt_context& with, ess::device& device,
                 ess::decode_engine& engine, const ess::memory_layout& layout,
                 const std::vector<ess::request>& requests, attempt_record& out) {
  const workloads::settings& s = plan.point.requested;
  if (s.accuracy.steps == 0 || !device.has_values()) return true;
  with.report.update({.phase = "accuracy"});
  const auto seed = static_cast<std::uint64_t>(s.seed);
  const accuracy_report report =
      check_accuracy({.device = device,
                      .engine = engine,
                      .system = *plan.system,
                      .overlap = plan.overlap,
                      .mean_kept = s.mtp_accept,
                      .layout = layout,
                      .prefill = with.shared.prefill(plan.model, plan.point.requested),
                      .seed = seed,
                      .requests = requests,
                      .options = {.steps = s.accuracy.steps,
                                  .requests = s.accuracy.requests,
                                  .layers = s.accuracy.layers > 0 ? s.accuracy.layers : plan.model.layers,
                                  .seed = seed,
                                  .beside_all_gpu = is_cuda(plan.family) ? requests_beside(s) : 0},
                      .all_gpu = [&] { return with.shared.make_reference_device(plan); },
                      .runs = with.shared.references(),
                      .matrices = with.shared.matrices()});
  out.accuracy = report.figures;
  if (report.ok) return true;
  out.status = attempt_status::incorrect;
  for (const std::string& failure : report.failures) {
    if (!out.reason.empty()) out.reason += "; ";
    out.reason += failure;
  }
  return false;
}

void note_layerwise(const planned_point& plan, const ess::decode_engine& engine, attempt_record& out) {
  if (plan.overlap != ess::overlap_kind::layerwise) return;
  const std::vector<double>& misses = engine.layer_misses();
  const double threshold = engine_options_of(plan, plan.layout()).dba_from_misses;
  std::vector<std::string> dba;
  for (std::size_t layer = 0; layer < misses.size(); ++layer)
    if (misses[layer] >= threshold) dba.push_back(std::to_string(layer));
  out.events.push_back(
      {.at = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now()),
       .kind = "layerwise",
       .detail =
           fmt::format("from {:.4g} misses on: dba in layers [{}], da in the others; misses by layer: {:.4g}",
                       threshold, fmt::join(dba, " "), fmt::join(misses, " "))});
}

void add_plan_metrics(const planned_point& plan, attempt_record& out) {
  const auto put_one = [&](const char* name, double value, const char* unit) {
    out.metrics[name] = results::summarise(std::span(&value, 1), unit);
  };
  if (plan.batch > 0) put_one("batch", plan.batch, "requests");
  if (plan.batch_max > 0) put_one("batch_max", plan.batch_max, "requests");
  if (plan.memory.empty()) return;
  put_one("device_bytes", static_cast<double>(total(plan.memory, ess::memory_tier::device).value), "B");
  put_one("host_bytes", static_cast<double>(total(plan.memory, ess::memory_tier::host).value), "B");
}

}  // namespace harness
