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

// What was counted by step or by layer: a line a step (or layer), a column a point, at most `limit` lines.
enum class series_kind : std::uint8_t { misses_by_step, misses_by_layer };
[[nodiscard]] std::string show_series(const loaded_run& run, series_kind kind, std::size_t limit);

}  // namespace results
