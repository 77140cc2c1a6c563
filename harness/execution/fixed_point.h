// A batch of fixed size at one context: steps until their median is known, taken in turns with those of other
// points.
#pragma once

#include <memory>

#include "harness/execution/attempt.h"
#include "harness/measure/stopping_rule.h"

namespace harness {

// When sampling a point with these settings ends.
[[nodiscard]] stopping_options stopping_of(const workloads::settings& s);

class fixed_point {
 public:
  // Sets up; no collective. `plan`, what `with` refers to and `out` must outlive this.
  fixed_point(const planned_point& plan, const attempt_context& with, results::attempt_record& out);
  ~fixed_point();
  // Of the first steps, before any turn. This, turns and finish() are collective.
  void check();

  // Whether further turns have something to measure: not before or after a failed check, nor once the rule
  // has ended it.
  [[nodiscard]] bool wants_more() const;
  // A quarter of the fewest samples that the point needs, after the warm-up steps in the first turn.
  void take_turn();
  // Metrics and status, from all turns.
  void finish();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace harness
