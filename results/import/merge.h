// Databases of essbench put together: of several machines, or the shards of one run.
//
// A run is known by its id, a point by its identity, an attempt by its place among those of its point. What
// the destination has already stays as it is; so a file may be imported again, also after its run went on.
// Histories of one point must agree as far as both go, or nothing of the file is taken.
#pragma once

#include <filesystem>

#include "results/import/import_report.h"

namespace results {

// One transaction; the source is only read. Throws store_error, the destination being as it was, for a source
// that cannot be read, is the destination itself or contradicts it (store_fault::conflict).
import_report merge_database(const std::filesystem::path& source, const import_options& options);

}  // namespace results
