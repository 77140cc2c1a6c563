// A run with every kind of line that tables show.
#pragma once

#include "results/record.h"

namespace results::testing {

// Five systems in one budget on the CPU, all_gpu without a budget, and points that went wrong.
[[nodiscard]] loaded_run an_example_run();
// The point of that run with this label.
[[nodiscard]] loaded_point& point_of(loaded_run& run, std::string_view label);

}  // namespace results::testing
