// Recordings made up for tests.
#pragma once

#include <cstdint>

#include "harness/gating/noise_recording.h"

namespace harness::testing {

// Two points, "slow" and "quick", of `runs` runs of 80 steps. A step is the product of a level of its run
// (scatter `between`), one that drifts along the run, and its own noise (scatter `within`).
[[nodiscard]] noise_recording made_up(std::size_t runs, double between, double within,
                                      std::uint64_t seed = 1);

}  // namespace harness::testing
