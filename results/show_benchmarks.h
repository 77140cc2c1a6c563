// A run that was made of Google Benchmark's JSON, as a table for people.
#pragma once

#include <string>

#include "results/record.h"

namespace results {

// Whether there is nothing else in it.
[[nodiscard]] bool is_of_benchmarks(const loaded_run& run);

// A line a benchmark: times, counters, and why one did not run.
[[nodiscard]] std::string show_benchmarks(const loaded_run& run);

}  // namespace results
