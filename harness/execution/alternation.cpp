#include "harness/execution/alternation.h"

#include <numeric>

namespace harness {
namespace {

constexpr std::string_view weights = "weights";

std::int64_t bytes_of(const planned_point& plan, bool with_weights) {
  return std::accumulate(plan.memory.begin(), plan.memory.end(), std::int64_t{0},
                         [&](std::int64_t sum, const ess::memory_item& item) {
                           return item.what == weights && !with_weights ? sum : sum + item.bytes.value;
                         });
}

// What a virtual clock says does not depend on what else the machine does.
bool may_alternate(const planned_point& plan) {
  return plan.point.requested.kind == workloads::workload_kind::fixed && plan.simulated == nullptr;
}

}  // namespace

std::size_t points_together(std::span<const planned_point* const> points, ess::byte_count memory) {
  std::int64_t used = 0;
  std::size_t count = 0;
  const planned_point* before = nullptr;
  for (const planned_point* plan : points) {
    if (!may_alternate(*plan)) break;
    if (plan->verdict == plan_verdict::ok) {
      const bool new_weights = before == nullptr || before->model != plan->model ||
                               before->point.requested.seed != plan->point.requested.seed;
      used += bytes_of(*plan, new_weights);
      before = plan;
    }
    if (used > memory.value) break;
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
