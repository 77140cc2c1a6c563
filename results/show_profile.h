// What a profiler saw of a run, as tables for people.
#pragma once

#include <string>

#include "results/record.h"

namespace results {

// A table a point that has a profile: operations, the costliest on the GPU first, each with its kernels and
// copies, summed over layers.
[[nodiscard]] std::string show_profile(const loaded_run& run);

}  // namespace results
