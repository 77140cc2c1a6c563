// Points of one run take turns while they are measured: what else the machine does then meets all of them,
// and not the one that happens to be running.
#pragma once

#include <functional>
#include <span>

#include "harness/planning/plan.h"

namespace harness {

// How many of `points`, from the first on, are to be measured together: fixed points that fit into `memory`
// at once, and into their GPU, weights of one model counted once; else 1. Points that will not run at all do
// not count. `points` must not be empty.
[[nodiscard]] std::size_t points_together(std::span<const planned_point* const> points,
                                          ess::byte_count memory);

// Rounds over 0 .. count - 1, forth and back in turn (A B B A), until wants_more(i) is false for all.
void take_turns(std::size_t count, const std::function<bool(std::size_t)>& wants_more,
                const std::function<void(std::size_t)>& take_turn);

}  // namespace harness
