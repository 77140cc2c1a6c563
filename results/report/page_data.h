// Pieces of the page's data. Internal to the report.
#pragma once

#include <nlohmann/json.hpp>

#include "results/timeline.h"

namespace results {

// Kinds and streams by name, operations as short rows of numbers: kind, stream, on the link (1) or not,
// layer, start and length in us.
[[nodiscard]] nlohmann::ordered_json timeline_json(const timeline& of);

}  // namespace results
