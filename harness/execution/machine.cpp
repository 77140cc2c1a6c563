#include "harness/execution/machine.h"

#include "ess_core/device/cpu/cpu_device.h"
#include "harness/accuracy/matrix_cache.h"
#include "harness/accuracy/reference_runs.h"

namespace harness {

machine::machine()
    : weights_(ess::make_cpu_weights_cache()),
      references_(std::make_unique<reference_runs>()),
      matrices_(std::make_unique<matrix_cache>()) {}

machine::~machine() = default;

int machine::threads(const workloads::settings& s) {
  return s.cpu_threads > 0 ? s.cpu_threads : ess::default_compute_threads();
}

std::unique_ptr<ess::device> machine::make_device(const planned_point& plan) const {
  const auto& link = plan.point.requested.link;
  return ess::make_cpu_device({.device_budget = plan.budgets.device,
                               .host_budget = plan.budgets.host,
                               .link = {.paced = link.paced,
                                        .gather_gb_per_s = link.gather_gb_per_s,
                                        .copy_gb_per_s = link.copy_gb_per_s,
                                        .call_us = link.call_us},
                               .compute_threads = threads(plan.point.requested),
                               .weights = weights_});
}

std::unique_ptr<ess::device> machine::make_reference_device(const planned_point& plan) const {
  return ess::make_cpu_device({.compute_threads = threads(plan.point.requested), .weights = weights_});
}

ess::prefill_source& machine::prefill(const ess::model_dims& model, std::uint64_t seed) {
  if (!prefill_ || prefill_model_ != model || prefill_seed_ != seed) {
    prefill_ = std::make_unique<ess::prefill_source>(model, seed);
    prefill_model_ = model;
    prefill_seed_ = seed;
  }
  return *prefill_;
}

}  // namespace harness
