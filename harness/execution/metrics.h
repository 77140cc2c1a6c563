// What is derived from the reports of steps.
#pragma once

#include "ess_core/engine/decode_engine.h"
#include "results/record.h"

namespace harness {

// One step as the store keeps it.
[[nodiscard]] results::timeline timeline_of(const ess::step_program& program, const ess::step_timing& timing);

// misses_by_step and misses_by_layer, of an engine whose system can miss.
void put_series(const ess::decode_engine& engine, results::attempt_record& out);

}  // namespace harness
