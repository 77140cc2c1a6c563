#include "harness/planning/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "baselines/systems.h"
#include "ess_core/cache/sparse_pool.h"
#include "ess_core/device/cuda/cuda_device.h"
#include "ess_core/model/presets.h"
#include "workloads/number_list.h"

namespace harness {
namespace {

using workloads::settings;

constexpr std::int32_t batch_limit = 4096;  // where no budget sets one sooner
// Most requests are shorter than the longest. The simulator can afford seats for the shortest of chat logs.
constexpr std::int32_t seats_per_full_request = 4;
constexpr std::int32_t simulated_seats_per_full_request = 32;

// One rank's experts, if experts are chosen evenly: the tokens that all ranks send it are as many for each as
// it has tokens itself. So a token's copies go to experts of the slice, one each where it has as many as a
// token chooses.
ess::moe_dims slice_of(ess::moe_dims moe, int slices) {
  moe.experts /= slices;
  moe.groups = moe.top_groups = 1;
  return moe;
}

ess::model_dims model_of(const settings& s) {
  ess::model_dims model = ess::find_model_preset(s.model.preset).value();
  if (s.model.layers > 0) model.layers = std::min(s.model.layers, model.layers);
  model.dense_layers = std::min(model.dense_layers, model.layers);
  if (s.model.experts > 0 && model.moe.experts > 0) model.moe.experts = s.model.experts;
  model.weights =
      s.model.weights == workloads::weights_mode::fp8 ? ess::weight_values::e4m3 : ess::weight_values::bf16;
  model.distinct_layers = s.model.distinct_layers;
  if (s.model.ep_slice > 1 && model.moe.experts > 0) model.moe = slice_of(model.moe, s.model.ep_slice);
  return s.mtp > 1 ? ess::with_draft_layers(model) : model;
}

// The CPU device holds f32, the CUDA device what the weights are; what serves a model holds fp8.
ess::byte_count weight_bytes(const settings& s, const planned_point& plan) {
  if (plan.simulated != nullptr) return served_weight_bytes(plan.model, plan.simulated->cluster.expert_ranks);
  if (s.cluster.ep > 0 && plan.ranks == 1) return served_weight_bytes(plan.model, s.cluster.ep);
  return {plan.model.parameters_of_a_rank(plan.expert_ranks()) *
          (is_cuda(plan.family) ? plan.model.bytes_per_weight() : 4)};
}

ess::batch_plan shape_of(const settings& s, const planned_point& plan) {
  const bool serves = s.kind == workloads::workload_kind::serve;
  const bool capped = serves && s.requests.max_context_tokens > 0;
  return {.model = plan.model,
          .query_tokens = s.mtp,
          .final_tokens = capped ? s.requests.max_context_tokens : s.context_tokens + most_tokens(s),
          .shortest_tokens = serves ? 1 : 0,
          .host_row_pitch = s.host_row_pitch_bytes,
          .weights = weight_bytes(s, plan),
          .ranks = plan.expert_ranks(),
          .hand_over = serves && s.handover == workloads::handover_mode::via_device
                           ? ess::hand_over_way::via_device
                           : ess::hand_over_way::to_host};
}

// What the accuracy check needs of a GPU beside the point itself: the same requests, as many as it looks at,
// with everything on the device.
ess::byte_count beside_the_point(const settings& s, const planned_point& plan) {
  if (s.accuracy.steps == 0) return {0};
  const int requests = requests_beside(s);
  const auto items = ess::memory_items(
      ess::make_layout(shape_of(s, plan), *ess::make_system("all_gpu", {}), requests, requests));
  return ess::total(items, ess::memory_tier::device) - weight_bytes(s, plan);
}

// A GPU has no more memory than it has, whatever a workload asks for. Without a budget a simulated one is
// unlimited: that is what a ceiling is measured with.
ess::memory_budgets budgets_of(const settings& s, const planned_point& plan) {
  ess::memory_budgets out{.host = {s.host_budget_bytes}};
  if (s.device_budget_beyond_weights_bytes) {
    out.device = weight_bytes(s, plan) + ess::byte_count{*s.device_budget_beyond_weights_bytes};
  } else {
    out.device = {s.device_budget_bytes.value_or(0)};
  }
  if (plan.host_memory.value > 0)
    out.host = out.host.value == 0 ? plan.host_memory : std::min(out.host, plan.host_memory);
  if (plan.gpu_memory.value > 0) {
    const ess::byte_count free = std::max(plan.gpu_memory - beside_the_point(s, plan), ess::byte_count{1});
    out.device = out.device.value == 0 ? free : std::min(out.device, free);
  }
  if (plan.simulated == nullptr || out.device.value == 0) return out;
  out.device = std::min(out.device, usable_bytes(plan.simulated->profile->hardware));
  return out;
}

std::shared_ptr<const ess::cache_system> system_of(const settings& s) {
  return ess::make_system(workloads::to_string(s.system),
                          {.pool_rows = s.pool_rows.value_or(0),
                           .sparse_ratio = s.sparse_ratio.value_or(0.2),
                           .pool_weights = workloads::parse_number_list(s.pool_weights).value(),
                           .policy = ess::parse_pool_kind(workloads::to_string(s.policy)).value(),
                           .prefetch_rows = s.prefetch_rows});
}

// Why the ranks that there are do not suit.
std::string unsuited_ranks(const settings& s, const planned_point& plan) {
  if (s.cluster.ep > 0 && s.cluster.ep != plan.ranks && plan.model.has_moe_layers()) {
    return fmt::format(
        "cluster.ep is {} and this run has {} rank{}; start it with mpirun -n {}, or take cluster.ep = 0 for "
        "as many as there are; --device sim:PROFILE simulates a cluster, model.ep_slice = {} one rank's "
        "share "
        "of experts",
        s.cluster.ep, plan.ranks, plan.ranks == 1 ? "" : "s", s.cluster.ep, s.cluster.ep);
  }
  if (plan.ranks == 1) return {};
  if (s.kind == workloads::workload_kind::serve)
    return "several ranks decode fixed batches only, none that serves";
  if (plan.model.has_moe_layers() && s.model.ep_slice > 1)
    return "with several ranks each holds its own experts; model.ep_slice stands for that on one";
  if (plan.ranks > plan.model.moe.experts && plan.model.has_moe_layers())
    return fmt::format("{} experts are fewer than {} ranks", plan.model.moe.experts, plan.ranks);
  return {};
}

// What neither device, or only the simulator, can run.
std::string missing_mechanism(const settings& s, const planned_point& plan) {
  const ess::model_dims& model = plan.model;
  if (is_cuda(plan.family) && s.prefetch_rows > 0) return "the CUDA device does not fetch rows ahead";
  // The stand-in is the same source, and there without a toolkit.
  if (is_cuda(plan.family) && plan.system->has_pool() &&
      !ess::cuda_emulated::has_pools_of(plan.system->pool())) {
    return fmt::format("the CUDA device has no pools of policy {}", to_string(plan.system->pool()));
  }
  const bool dense = model.index_heads == 0;
  if (dense && plan.simulated == nullptr)
    return fmt::format("{} attends to its whole context, which only the simulator can do", model.name);
  if (dense && s.system != workloads::system_kind::all_gpu)
    return fmt::format("{} has no indexer that would select rows to fetch", model.name);
  if (model.has_moe_layers() && s.model.ep_slice > 1 && plan.simulated != nullptr)
    return "the simulator spreads experts over ranks by cluster.ep; model.ep_slice is for devices that "
           "compute";
  if (model.has_moe_layers() && model.moe.experts < model.moe.top_k) {
    return fmt::format(
        "a slice of {} experts is smaller than the {} that a token chooses; take model.ep_slice = {} "
        "or less",
        model.moe.experts, model.moe.top_k, s.model.ep_slice * model.moe.experts / model.moe.top_k);
  }
  if (plan.simulated == nullptr) return unsuited_ranks(s, plan);
  return {};
}

// On the device of `plan`.
std::int32_t largest(const settings& s, const planned_point& plan) {
  planned_point other{.family = plan.family,
                      .simulated = plan.simulated,
                      .ranks = plan.ranks,
                      .gpu_memory = plan.gpu_memory,
                      .host_memory = plan.host_memory,
                      .model = model_of(s)};
  return ess::largest_batch(shape_of(s, other), *system_of(s), budgets_of(s, other), batch_limit);
}

// The batch asked for, and what to say if there is none.
struct batch_answer {
  std::int32_t batch = 0;
  std::string trouble = {};
};

batch_answer batch_of(const workloads::point& point, const planned_point& plan) {
  const settings& s = point.requested;
  if (const int* number = std::get_if<int>(&s.batch)) return {*number};
  const bool of_another = std::holds_alternative<workloads::max_batch_of>(s.batch) && point.batch_of;
  const settings& limited = of_another ? *point.batch_of : s;
  const ess::memory_budgets budgets = budgets_of(limited, plan);
  if (budgets.device.value == 0 && budgets.host.value == 0) {
    return {0, "batch \"max\" needs a budget: set device_budget_bytes or device_budget_beyond_weights_bytes"};
  }
  return {of_another ? largest(limited, plan) : plan.batch_max};
}

std::string does_not_fit(const planned_point& plan) {
  const auto one = ess::memory_items(ess::make_layout(plan.shape, *plan.system, 1, 1));
  return fmt::format(
      "one request of {} tokens needs {} on the device (budget {}) and {} on the host (budget {})",
      plan.shape.final_tokens, to_string(total(one, ess::memory_tier::device)),
      plan.budgets.device.value > 0 ? to_string(plan.budgets.device) : "unlimited",
      to_string(total(one, ess::memory_tier::host)),
      plan.budgets.host.value > 0 ? to_string(plan.budgets.host) : "unlimited");
}

std::string exceeds(const planned_point& plan) {
  const ess::byte_count device = total(plan.memory, ess::memory_tier::device);
  const ess::byte_count host = total(plan.memory, ess::memory_tier::host);
  const auto over = [](ess::byte_count need, ess::byte_count budget) {
    return budget.value > 0 && need > budget;
  };
  if (over(device, plan.budgets.device)) {
    return fmt::format("batch {} needs {} on the device, the budget is {}; {} fit", plan.batch,
                       to_string(device), to_string(plan.budgets.device), plan.batch_max);
  }
  if (over(host, plan.budgets.host)) {
    return fmt::format("batch {} needs {} on the host, the budget is {}; {} fit", plan.batch, to_string(host),
                       to_string(plan.budgets.host), plan.batch_max);
  }
  return {};
}

// Of any layer's pool.
std::string too_many_slots(const planned_point& plan) {
  if (!plan.system->has_pool()) return {};
  const auto one = ess::make_layout(plan.shape, *plan.system, 1, 1);
  std::int64_t most = 0;
  for (std::int32_t layer = 0; layer < plan.model.layers; ++layer)
    most = std::max(most, one.rows_in(layer, one.device_rows));
  if (most <= ess::max_pool_slots) return {};
  return fmt::format("a pool of {} rows a request and layer; this version has slots of 16 bits, {} at most",
                     most, ess::max_pool_slots);
}

void refuse(planned_point& plan, plan_verdict verdict, std::string reason) {
  plan.verdict = verdict;
  plan.reason = std::move(reason);
}

}  // namespace

std::string_view to_string(plan_verdict verdict) {
  switch (verdict) {
    case plan_verdict::ok:
      return "ok";
    case plan_verdict::out_of_memory:
      return "out_of_memory";
    case plan_verdict::unsupported:
      return "unsupported";
  }
  return "?";
}

int requests_beside(const settings& s) { return std::max(1, s.accuracy.requests); }

int total_steps(const settings& s) {
  return s.accuracy.steps + s.measure.warmup_steps + std::min(s.steps, s.measure.max_samples);
}

int most_tokens(const settings& s) { return total_steps(s) * s.mtp; }

ess::memory_layout planned_point::layout() const {
  std::int32_t seats = batch;
  if (point.requested.kind == workloads::workload_kind::serve) {
    const bool many = simulated != nullptr;
    for (seats = batch * (many ? simulated_seats_per_full_request : seats_per_full_request); seats > batch;
         --seats) {
      const auto items = ess::memory_items(ess::make_layout(shape, *system, batch, seats));
      if (budgets.device.value == 0 || total(items, ess::memory_tier::device) <= budgets.device) break;
    }
  }
  return ess::make_layout(shape, *system, batch, seats);
}

settings planned_point::effective(int cpu_threads) const {
  settings out = point.requested;
  out.batch = batch;
  out.overlap = workloads::parse_overlap(to_string(overlap)).value();
  out.model.layers = model.layers - model.draft_layers;
  out.cpu_threads = cpu_threads;
  if (family != device_family::cpu) out.link.paced = false;
  if (ranks > 1) out.cluster.ep = ranks;
  if (simulated != nullptr) {
    out.cluster = {.nodes = simulated->cluster.nodes,
                   .ep = simulated->cluster.expert_ranks,
                   .imbalance = simulated->cluster.imbalance};
  }
  out.host_row_pitch_bytes = static_cast<int>(layout().host_row_pitch);
  // Before a fixed batch all caches are put in their places in bulk, outside the times.
  const bool lands = shape.hand_over == ess::hand_over_way::via_device && layout().landing_rows > 0;
  out.handover = lands ? workloads::handover_mode::via_device : workloads::handover_mode::to_host;
  if (system->has_pool() && !system->warms_up()) out.warmup = workloads::warmup_mode::empty;
  if (system->pool() == ess::pool_kind::hash_scan) {  // its size is a number of rows whatever the context is
    out.policy = workloads::eviction_policy::lru;
    out.pool_weights.clear();
    out.prefetch_rows = 0;
    out.sparse_ratio.reset();
    out.pool_rows =
        static_cast<int>(system->extent(model, shape.final_tokens, shape.query_tokens).device_rows);
  }
  return out;
}

planned_point plan_point(const workloads::point& point, const target& on) {
  const settings& s = point.requested;
  planned_point plan{.point = point,
                     .family = on.family(),
                     .ranks = on.is_simulated() ? 1 : on.ranks(),
                     .gpu_memory = on.usable_gpu_memory(),
                     .host_memory = on.lockable_memory(),
                     .model = model_of(s),
                     .system = system_of(s)};
  auto simulated = on.simulation_of(s);
  if (!simulated) {
    refuse(plan, plan_verdict::unsupported, to_string(simulated.error()));
    return plan;
  }
  plan.simulated = *std::move(simulated);
  plan.shape = shape_of(s, plan);
  plan.budgets = budgets_of(s, plan);
  const bool limited = plan.budgets.device.value > 0 || plan.budgets.host.value > 0;
  if (limited) plan.batch_max = ess::largest_batch(plan.shape, *plan.system, plan.budgets, batch_limit);
  const batch_answer answer = batch_of(point, plan);
  plan.batch = answer.batch;
  if (const auto asked = ess::parse_overlap(workloads::to_string(s.overlap)))
    plan.overlap = effective_overlap(*plan.system, *asked);
  if (plan.batch > 0) plan.memory = ess::memory_items(plan.layout());
  if (!answer.trouble.empty()) {
    refuse(plan, plan_verdict::unsupported, answer.trouble);
  } else if (plan.batch == 0) {
    refuse(plan, plan_verdict::out_of_memory, does_not_fit(plan));
  } else if (std::string reason = exceeds(plan); !reason.empty()) {
    refuse(plan, plan_verdict::out_of_memory, std::move(reason));
  } else if (std::string slots = too_many_slots(plan); !slots.empty()) {
    refuse(plan, plan_verdict::unsupported, std::move(slots));
  } else if (std::string missing = missing_mechanism(s, plan); !missing.empty()) {
    refuse(plan, plan_verdict::unsupported, std::move(missing));
  }
  return plan;
}

std::vector<planned_point> plan_workload(const workloads::workload& workload, const target& on) {
  std::vector<planned_point> out;
  for (const workloads::point& point : workload.points) out.push_back(plan_point(point, on));
  return out;
}

}  // namespace harness
