// The check that comes before any timing: a few steps of a batch, operation by operation, against a
// double-precision reference, and as a whole against the all-on-device system.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ess_core/engine/decode_engine.h"
#include "harness/accuracy/matrix_cache.h"
#include "harness/accuracy/reference_runs.h"

namespace harness {

struct accuracy_options {
  std::int32_t steps = 2;
  // How many are looked at operation by operation, drawn by `seed`.
  std::int32_t requests = 2;
  std::int32_t layers = 2;
  std::uint64_t seed = 0;
  // How many of the first ones decode on the all-on-device system as well; 0: all. What a request computes
  // does not depend on who decodes beside it, so a device that cannot hold all of them twice may do with few.
  std::int32_t beside_all_gpu = 0;
};

struct accuracy_report {
  bool ok = true;
  // "attend.output 0.031 above 5e-05 (layer 3, request 5, step 0)", by step, layer and operation, so that the
  // first names what went wrong first; after 20 of them the number of the others.
  std::vector<std::string> failures;
  // The largest of each figure (harness/accuracy/bounds.h), finite. Those of operations that the program does
  // not have are missing.
  std::map<std::string, double> figures;
};

struct accuracy_inputs {
  ess::device& device;
  ess::decode_engine& engine;  // has admitted `requests` and nothing else, and made no step yet
  const ess::cache_system& system;
  ess::overlap_kind overlap = ess::overlap_kind::none;  // effective
  double mean_kept = 1.0;                               // of the engine
  const ess::memory_layout& layout;
  ess::prefill_source& prefill;
  std::uint64_t seed = 0;                     // of weights and inputs
  const std::vector<ess::request>& requests;  // none ends within options.steps steps
  accuracy_options options;
  device_factory all_gpu;  // a second device, without budget
  reference_runs& runs;
  matrix_cache& matrices;
};

// Advances the engine by options.steps steps, not timed. What runs afterwards may be timed if `ok`.
// Throws std::invalid_argument if the engine does not stand where it says, and whatever a device throws.
[[nodiscard]] accuracy_report check_accuracy(const accuracy_inputs& in);

}  // namespace harness
