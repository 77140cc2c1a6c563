#include "harness/execution/alternation.h"

#include <algorithm>

namespace harness {
namespace {

constexpr std::string_view weights = "weights";

// What points that are set up at the same time take of the machine's memory, and of a GPU's if they have one.
struct memory_taken {
  std::int64_t machine = 0;
  std::int64_t gpu = 0;

  void add(const planned_point& plan, bool with_weights) {
    const bool on_gpu = plan.family == device_family::cuda;
    for (const ess::memory_item& item : plan.memory) {
      if (item.what == weights && !with_weights) continue;
      (on_gpu && item.tier == ess::memory_tier::device ? gpu : machine) += item.bytes.value;
    }
  }
};

// What a virtual clock says does not depend on what else the machine does.
bool may_alternate(const planned_point& plan) {
  return plan.point.requested.kind == workloads::workload_kind::fixed && plan.simulated == nullptr;
}

}  // namespace

std::size_t points_together(std::span<const planned_point* const> points, ess::byte_count memory) {
  memory_taken used;
  std::size_t count = 0;
  const planned_point* before = nullptr;
  for (const planned_point* plan : points) {
    if (!may_alternate(*plan)) break;
    if (plan->verdict == plan_verdict::ok) {
      const bool new_weights = before == nullptr || before->model != plan->model ||
                               before->point.requested.seed != plan->point.requested.seed;
      used.add(*plan, new_weights);
      before = plan;
    }
    if (used.machine > memory.value || (plan->gpu_memory.value > 0 && used.gpu > plan->gpu_memory.value))
      break;
    ++count;
  }
  return std::max<std::size_t>(count, 1);
}

void take_turns(std::size_t count, const std::function<bool(std::size_t)>& wants_more,
                const std::function<void(std::size_t)>& take_turn) {
  bool any = true;
  for (bool forth = true; any; forth = !forth) {
    any = false;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = forth ? i : count - 1 - i;
      if (!wants_more(at)) continue;
      take_turn(at);
      any = true;
    }
  }
}

}  // namespace harness
