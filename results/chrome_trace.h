// Stored timelines in the Trace Event Format that Perfetto (https://ui.perfetto.dev) and chrome://tracing
// read: a process for each point, a thread for each stream, a complete event for each operation.
#pragma once

#include <string>

#include "results/record.h"

namespace results {

// Of all points whose last attempt holds a timeline, or of the one with this label. Empty text: there is
// none.
[[nodiscard]] std::string chrome_trace(const loaded_run& run, std::string_view label = {});

}  // namespace results
