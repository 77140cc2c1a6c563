// The verdict of a report. Internal to it.
#pragma once

#include <string>
#include <vector>

#include "results/report/report.h"

namespace results {

[[nodiscard]] std::vector<control> controls_of(const report& of);
// Of a report whose points and controls are there.
[[nodiscard]] std::vector<finding> findings_of(const report& of);
// "1.95x [1.88, 2.02]"
[[nodiscard]] std::string gain_text(const gain_value& of);
// What kind of machine, in one line.
[[nodiscard]] std::string environment_line(const loaded_run& run);

}  // namespace results
