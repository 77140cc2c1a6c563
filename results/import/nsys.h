// Profiles of a run's points out of an Nsight Systems report that was exported to SQLite.
#pragma once

#include <filesystem>
#include <string>

#include "results/import/import_report.h"

namespace results {

// `run_id`: of a run in the database, or its beginning; empty: the latest. Points are found by their labels;
// their last attempts get the profiles. One transaction. Throws store_error, the database being as it was.
import_report import_nsys(const std::filesystem::path& source, const std::string& run_id,
                          const import_options& options);

}  // namespace results
