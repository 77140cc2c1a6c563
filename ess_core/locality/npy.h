// Index streams from NumPy: int32 arrays of shape [steps, layers, top-k] in C order, .npy format 1 or 2
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
#pragma once

#include <filesystem>
#include <optional>

#include "ess_core/locality/index_trace.h"

namespace ess {

// Selections are sorted by id on the way in, -1 last. `first_token`: position of the query token of step 0;
// if left out, the smallest with which every id is in range, which is right wherever some layer selects the
// newest token in some step.
[[nodiscard]] trace_result<index_trace> read_npy(const std::filesystem::path& file,
                                                 std::optional<token_id> first_token);

}  // namespace ess
