// Index streams of a small model.
#pragma once

#include "ess_core/device/sim/index_stream.h"

namespace ess::sim::test {

// Three layers, for a top-k of 32: one by position, one that misses much, one that misses little.
inline stream_source small_streams() {
  return {.stream = {.sinks = 2, .recent = 4, .burst_every = 16, .burst_length = 2, .burst_factor = 2},
          .layers = {{.overlap = 0.5, .scattered = 0.05, .position_relative = true},
                     {.overlap = 0.5, .scattered = 0.2, .steepness = 2},
                     {.overlap = 0.8, .scattered = 0.05, .steepness = 6}},
          .seed = 11};
}

}  // namespace ess::sim::test
