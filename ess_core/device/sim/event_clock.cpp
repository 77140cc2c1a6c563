#include "ess_core/device/sim/event_clock.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

namespace ess::sim {
namespace {

class clock {
 public:
  clock(const step_program& program, std::span<const op_cost> costs)
      : program_(program), costs_(costs), ended_(program.operations.size(), false) {
    timing_.operations.resize(program.operations.size());
    for (std::size_t i = 0; i < program.operations.size(); ++i)
      queue_[static_cast<std::size_t>(program.operations[i].stream)].push_back(i);
  }

  step_timing run() {
    while (start_what_can()) {
      const double slice = shortest_us();
      now_ += slice;
      advance(slice);
    }
    timing_.total = microseconds(now_);
    return std::move(timing_);
  }

 private:
  struct running {
    std::size_t op;
    double left_us;  // alone
    double slowed = 1;
  };

  // False once nothing runs any more.
  bool start_what_can() {
    bool any = false;
    for (std::size_t s = 0; s < stream_count; ++s) {
      if (!at_[s] && next_[s] < queue_[s].size() && may_start(queue_[s][next_[s]])) {
        const std::size_t op = queue_[s][next_[s]++];
        at_[s] = running{.op = op, .left_us = costs_[op].us};
        timing_.operations[op].start = microseconds(now_);
      }
      any = any || at_[s];
    }
    return any;
  }

  [[nodiscard]] bool may_start(std::size_t op) const {
    return std::ranges::all_of(program_.operations[op].waits,
                               [&](std::int32_t wait) { return ended_[static_cast<std::size_t>(wait)]; });
  }

  // Until the first of what runs ends.
  double shortest_us() {
    std::array<double, resource_count> asked{};
    for (const auto& r : at_) {
      if (!r) continue;
      for (std::size_t i = 0; i < resource_count; ++i) asked[i] += costs_[r->op].use[i];
    }
    double shortest = std::numeric_limits<double>::infinity();
    for (auto& r : at_) {
      if (!r) continue;
      r->slowed = 1;
      for (std::size_t i = 0; i < resource_count; ++i) {
        if (costs_[r->op].use[i] > 0) r->slowed = std::max(r->slowed, asked[i]);
      }
      shortest = std::min(shortest, r->left_us * r->slowed);
    }
    return shortest;
  }

  void advance(double us) {
    for (auto& r : at_) {
      if (!r) continue;
      const bool ends = r->left_us * r->slowed <= us;
      r->left_us -= us / r->slowed;
      if (!ends) continue;
      ended_[r->op] = true;
      timing_.operations[r->op].end = microseconds(now_);
      r.reset();
    }
  }

  const step_program& program_;
  std::span<const op_cost> costs_;
  std::vector<bool> ended_;
  std::array<std::vector<std::size_t>, stream_count> queue_;
  std::array<std::size_t, stream_count> next_{};
  std::array<std::optional<running>, stream_count> at_{};
  double now_ = 0;
  step_timing timing_;
};

}  // namespace

step_timing run_on_event_clock(const step_program& program, std::span<const op_cost> costs) {
  return clock(program, costs).run();
}

}  // namespace ess::sim
