// One attempt at a point: accuracy first, then times.
#pragma once

#include "ess_core/communicator/communicator.h"
#include "ess_core/engine/decode_engine.h"
#include "harness/execution/machine.h"
#include "harness/measure/cancellation.h"
#include "harness/measure/progress.h"
#include "results/record.h"

namespace harness {

// What an attempt needs beside its plan.
struct attempt_context {
  machine& shared;
  progress& report;
  ess::communicator& ranks;
  const cancellation* cancel = nullptr;  // null: cannot be cancelled
  std::filesystem::path workload_file = {};

  [[nodiscard]] bool cancelled() const { return cancel != nullptr && cancel->requested(); }
};

// Requests that arrive and leave: continuous batching on the wall clock.
void run_serve_point(const planned_point& plan, const attempt_context& with, results::attempt_record& out);

[[nodiscard]] ess::engine_options engine_options_of(const planned_point& plan,
                                                    const ess::memory_layout& layout);

// The check of the first steps of `requests` on an engine that has just admitted them. False, and `out` says
// what is wrong, if no time may be taken.
[[nodiscard]] bool check_first(const planned_point& plan, const attempt_context& with, ess::device& device,
                               ess::decode_engine& engine, const ess::memory_layout& layout,
                               const std::vector<ess::request>& requests, results::attempt_record& out);

// Under overlap layerwise: which layers took dba, by which misses, as an event of the attempt.
void note_layerwise(const planned_point& plan, const ess::decode_engine& engine,
                    results::attempt_record& out);

// Metrics that follow from the plan alone: batch, batch_max, device_bytes, host_bytes.
void add_plan_metrics(const planned_point& plan, results::attempt_record& out);

}  // namespace harness
