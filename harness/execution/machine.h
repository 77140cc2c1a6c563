// What the points of one run share: weights, prompts, reference results; and how a device is made for a
// point.
#pragma once

#include <map>
#include <memory>

#include "ess_core/communicator/communicator.h"
#include "ess_core/device/device.h"
#include "ess_core/engine/prefill.h"
#include "harness/execution/ranks.h"
#include "harness/planning/plan.h"

namespace ess::cpu {
class weights_cache;
}
namespace ess::sim {
class shared_streams;
}

namespace harness {

class reference_runs;
class matrix_cache;

class machine {
 public:
  // `ranks` must outlive it. Collective.
  explicit machine(ess::communicator& ranks);
  ~machine();

  // The device that `plan` asks for, nothing allocated yet.
  [[nodiscard]] std::unique_ptr<ess::device> make_device(const planned_point& plan) const;
  // The same without budgets and without a paced link: what references run on.
  [[nodiscard]] std::unique_ptr<ess::device> make_reference_device(const planned_point& plan) const;
  [[nodiscard]] ess::prefill_source& prefill(const ess::model_dims& model, const workloads::settings& s);
  [[nodiscard]] reference_runs& references() { return *references_; }
  [[nodiscard]] matrix_cache& matrices() { return *matrices_; }
  // Compute threads that a point runs with: by default the cores, shared out among the ranks that are on
  // them.
  [[nodiscard]] int threads(const workloads::settings& s) const;

 private:
  [[nodiscard]] std::unique_ptr<ess::device> make_simulated(const planned_point& plan) const;
  [[nodiscard]] std::unique_ptr<ess::device> make_cuda(const planned_point& plan,
                                                       const ess::memory_budgets& budgets,
                                                       ess::communicator* ranks) const;

  ess::communicator& ranks_;
  core_share cores_;
  std::shared_ptr<ess::cpu::weights_cache> weights_;
  std::shared_ptr<void> cuda_weights_, cuda_emulated_weights_;
  mutable std::shared_ptr<ess::sim::shared_streams> streams_;  // of the simulated point made last
  std::unique_ptr<reference_runs> references_;
  std::unique_ptr<matrix_cache> matrices_;
  // The prompts of the model and seed used last.
  ess::model_dims prefill_model_;
  std::uint64_t prefill_seed_ = 0;
  int prefill_distinct_ = 0;
  std::unique_ptr<ess::prefill_source> prefill_;
};

}  // namespace harness
