// Commands that run points of a stored run again.
#pragma once

#include <map>
#include <string>

#include "results/record.h"
#include "results/report/report.h"

namespace harness {

// By label. A command is there only if the run's workload, changed as the command says, has a point with the
// very settings that were asked for.
[[nodiscard]] std::map<std::string, results::repeat_command> repeat_commands(const results::loaded_run& run);

// Values that the run's workload carries from elsewhere, beside what the run gave; none if --set made it
// another workload.
[[nodiscard]] std::vector<results::published_row> published_rows(const results::loaded_run& run);

}  // namespace harness
