// A loaded run as data for other programs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "results/record.h"

namespace results {

// {"run": {...}, "environment": {...}, "points": [...]}: one entry a point, from its last attempt. A point
// that has not been tried has the status null. Numbers that are not finite are null, as JSON has no other
// word. What was imported says so in "imports", a point that a profiler saw has a "profile"; other runs have
// neither key.
[[nodiscard]] nlohmann::ordered_json export_json(const loaded_run& run);
// The same as text, indented, with a line feed at its end. Bytes that are no UTF-8 are replaced.
[[nodiscard]] std::string export_json_text(const loaded_run& run);

// RFC 4180, with a header: one line a point and metric, and one with empty metric columns for a point without
// metrics. Lines end in CR LF.
[[nodiscard]] std::string export_csv(const loaded_run& run);

}  // namespace results
