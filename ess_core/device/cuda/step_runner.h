// Executes step programs on streams: enqueued operation by operation with events between them, or, once a
// program has been seen, as one CUDA graph.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "ess_core/device/cuda/context.h"

namespace ess::ESS_CUDA {

class step_runner {
 public:
  // `profiled_runs`: of a program before it becomes a graph.
  step_runner(bool graphs, int profiled_runs);

  // Nothing else may be on the GPU. Throws cuda_error.
  [[nodiscard]] step_timing run(context& c, const step_program& program);
  // Operation by operation, each waited for; `after` may read.
  [[nodiscard]] step_timing run(context& c, const step_program& program, const device::probe& after);
  // Programs launched so far hold addresses; forgets them.
  void forget_programs() { seen_.clear(); }

  [[nodiscard]] const stream& compute() const { return streams_[0]; }

 private:
  struct known_program {
    int runs = 0;
    graph captured;
  };
  struct op_events {
    event start{event::timing::on}, end{event::timing::on};
  };

  void enqueue(context& c, const step_program& program, bool timed);
  [[nodiscard]] const stream& stream_of(const operation& op) const {
    return streams_[static_cast<std::size_t>(op.stream)];
  }
  void make_events(std::size_t operations);
  [[nodiscard]] std::vector<op_timing> times_of(const step_program& program) const;

  bool graphs_;
  int profiled_runs_;
  std::vector<stream> streams_;
  event begin_{event::timing::on}, end_{event::timing::on}, join_{event::timing::off};
  std::vector<op_events> timed_;                 // by operation
  std::vector<event> done_;                      // by operation, without times: what a graph waits by
  std::map<std::uint64_t, known_program> seen_;  // by step_program::id
};

// Whether all of a program can be captured: nothing in it needs the host.
[[nodiscard]] bool is_capturable(const step_program& program);

}  // namespace ess::ESS_CUDA
