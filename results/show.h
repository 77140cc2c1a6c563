// A run as tables for people: fixed width, no colour, readable by someone who has not seen essbench before.
#pragma once

#include <string>

#include "results/record.h"

namespace results {

// What ends a run: a line a point, how to read it, and why points are not ok. A point that is not measured
// shows no time; a missing metric is "-".
[[nodiscard]] std::string show_run(const loaded_run& run);

// Time by operation (metrics op_<kind>_us), one table a measured point, the costliest first.
[[nodiscard]] std::string show_operations(const loaded_run& run);

}  // namespace results
