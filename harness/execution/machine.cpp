#include "harness/execution/machine.h"

#include <fmt/format.h>

#include <algorithm>

#include "ess_core/device/cpu/cpu_device.h"
#include "harness/accuracy/matrix_cache.h"
#include "harness/accuracy/reference_runs.h"

namespace harness {

machine::machine(ess::communicator& ranks)
    : ranks_(ranks),
      cores_(share_of_cores(ranks)),
      weights_(ess::make_cpu_weights_cache()),
#ifdef ESSBENCH_CUDA
      cuda_weights_(ess::cuda::make_weights_cache()),
#endif
      cuda_emulated_weights_(ess::cuda_emulated::make_weights_cache()),
      references_(std::make_unique<reference_runs>()),
      matrices_(std::make_unique<matrix_cache>()) {
}

machine::~machine() = default;

int machine::threads(const workloads::settings& s) const {
  return s.cpu_threads > 0 ? s.cpu_threads : std::max(1, ess::default_compute_threads() / cores_.of);
}

std::unique_ptr<ess::device> machine::make_simulated(const planned_point& plan) const {
  const workloads::settings& s = plan.point.requested;
  const simulation& of = *plan.simulated;
  ess::sim_device_options options{.device_budget = plan.budgets.device,
                                  .host_budget = plan.budgets.host,
                                  .hardware = of.profile->hardware,
                                  .cluster = of.cluster,
                                  .locality = of.locality,
                                  .followed_requests = s.simulation.requests,
                                  .followed_layers = s.simulation.layers,
                                  .given_misses = s.simulation.misses,
                                  .threads = threads(s)};
  if (s.kind == workloads::workload_kind::fixed) {
    const bool windows = plan.system->warms_up() && s.warmup == workloads::warmup_mode::windows;
    const int warm_up_steps = windows ? (s.warmup_windows + s.mtp - 1) / s.mtp : 0;
    const ess::sim::shared_streams::key what{.source = of.locality,
                                             .top_k = plan.model.top_k,
                                             .query_tokens = s.mtp,
                                             .mean_kept = s.mtp_accept,
                                             .seed = static_cast<std::uint64_t>(s.seed),
                                             .first_position = s.context_tokens - warm_up_steps * s.mtp};
    if (streams_ == nullptr || streams_->what() != what)
      streams_ = std::make_shared<ess::sim::shared_streams>(what);
    options.streams = streams_;
  }
  return ess::make_sim_device(std::move(options));
}

std::unique_ptr<ess::device> machine::make_cuda(const planned_point& plan, const ess::memory_budgets& budgets,
                                                ess::communicator* ranks) const {
  const workloads::settings& s = plan.point.requested;
  // Served batches change their size all the time: a graph for each would cost more than it saves.
  ess::cuda_device_options options{
      .device_budget = budgets.device,
      .host_budget = budgets.host,
      .graphs = s.kind == workloads::workload_kind::fixed,
      .profiled_runs = std::min(s.measure.warmup_steps, std::max(1, s.measure.warmup_steps - 1)),
      .batched_copies = s.link.batched_calls,
      .ranks = ranks};
#ifdef ESSBENCH_CUDA
  if (plan.family == device_family::cuda) {
    const int gpus = ess::cuda::gpu_count();
    if (ranks_.local_ranks() > gpus)
      throw ess::unsupported(fmt::format("{} ranks on a machine with {} GPUs", ranks_.local_ranks(), gpus));
    options.ordinal = ranks_.local_rank();
    options.weights = cuda_weights_;
    return ess::cuda::make_device(options);
  }
#endif
  options.weights = cuda_emulated_weights_;
  return ess::cuda_emulated::make_device(options);
}

std::unique_ptr<ess::device> machine::make_device(const planned_point& plan) const {
  if (plan.simulated != nullptr) return make_simulated(plan);
  ess::communicator* const ranks = plan.expert_ranks() > 1 ? &ranks_ : nullptr;
  if (is_cuda(plan.family)) return make_cuda(plan, plan.budgets, ranks);
  const auto& link = plan.point.requested.link;
  const int compute_threads = threads(plan.point.requested);
  return ess::make_cpu_device({.device_budget = plan.budgets.device,
                               .host_budget = plan.budgets.host,
                               .link = {.paced = link.paced,
                                        .gather_gb_per_s = link.gather_gb_per_s,
                                        .copy_gb_per_s = link.copy_gb_per_s,
                                        .call_us = link.call_us},
                               .compute_threads = compute_threads,
                               .first_core = cores_.index * compute_threads,
                               .weights = weights_,
                               .ranks = ranks});
}

std::unique_ptr<ess::device> machine::make_reference_device(const planned_point& plan) const {
  if (is_cuda(plan.family)) return make_cuda(plan, {}, nullptr);
  const int compute_threads = threads(plan.point.requested);
  return ess::make_cpu_device({.compute_threads = compute_threads,
                               .first_core = cores_.index * compute_threads,
                               .weights = weights_});
}

ess::prefill_source& machine::prefill(const ess::model_dims& model, const workloads::settings& s) {
  const auto seed = static_cast<std::uint64_t>(s.seed);
  if (!prefill_ || prefill_model_ != model || prefill_seed_ != seed ||
      prefill_distinct_ != s.distinct_prompts) {
    prefill_ = std::make_unique<ess::prefill_source>(model, seed, s.distinct_prompts);
    prefill_model_ = model;
    prefill_seed_ = seed;
    prefill_distinct_ = s.distinct_prompts;
  }
  return *prefill_;
}

}  // namespace harness
