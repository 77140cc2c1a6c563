// From a point of a workload to what would run: model, system, batch, memory. Pure arithmetic: the same bytes
// on every machine.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ess_core/engine/capacity.h"
#include "ess_core/step/overlap.h"
#include "harness/planning/target.h"
#include "workloads/spec.h"

namespace harness {

enum class plan_verdict : std::uint8_t { ok, out_of_memory, unsupported };
[[nodiscard]] std::string_view to_string(plan_verdict verdict);

struct planned_point {
  workloads::point point;
  plan_verdict verdict = plan_verdict::ok;
  std::string reason;  // why not, with the numbers

  device_family family = device_family::cpu;
  std::shared_ptr<const simulation> simulated;  // of the family of that name; null for others
  int ranks = 1;                                // that the run consists of; `batch` is that of each
  ess::byte_count gpu_memory{0};                // that may be used; 0: no limit
  ess::byte_count host_memory{0};               // that may be locked for a GPU; 0: no limit
  ess::model_dims model;
  std::shared_ptr<const ess::cache_system> system;
  ess::overlap_kind overlap = ess::overlap_kind::none;  // effective
  ess::memory_budgets budgets;
  ess::batch_plan shape;
  std::int32_t batch = 0;
  std::int32_t batch_max = 0;            // the most that fits; 0: none, or no budget to fit in
  std::vector<ess::memory_item> memory;  // of `batch`

  // Over which the model's routed experts are spread; 1 if it has none.
  [[nodiscard]] int expert_ranks() const { return model.has_moe_layers() ? ranks : 1; }
  // Of the batch. A serve point has room for `batch` requests of the full length and more seats than that, as
  // many as fit, since shorter requests may share the room.
  [[nodiscard]] ess::memory_layout layout() const;
  // Settings as they will be used: batch a number, overlap what the system can do, threads counted.
  [[nodiscard]] workloads::settings effective(int cpu_threads) const;
};

// Requests that a GPU decodes once more, with everything on the device, for the accuracy check.
[[nodiscard]] int requests_beside(const workloads::settings& s);
// Steps of a fixed point that decode: checked, warm-up and measured ones.
[[nodiscard]] int total_steps(const workloads::settings& s);
// Tokens that a request of a fixed point decodes in them if no draft is rejected.
[[nodiscard]] int most_tokens(const workloads::settings& s);
// `longest` caps the context of a serve workload's requests; it decides the size of the caches there.
[[nodiscard]] planned_point plan_point(const workloads::point& point, const target& on = {});
[[nodiscard]] std::vector<planned_point> plan_workload(const workloads::workload& workload,
                                                       const target& on = {});

}  // namespace harness
