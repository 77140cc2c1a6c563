// Databases of essbench put together: of several machines, or the shards of one run.
//
// A run is known by its id, a point by its identity, an attempt by its place among those of its point. What
// the destination has already stays as it is; so a file may be imported again, also after its run went on.
// Histories of one point must agree as far as both go, or nothing of the file is taken.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "results/record.h"

namespace results {

struct merge_options {
  std::filesystem::path into;    // made if there is no such file
  std::string essbench_version;  // of this program, for the record
  utc_time at;
};

struct merge_count {
  std::int64_t added = 0;
  std::int64_t there = 0;

  friend bool operator==(const merge_count&, const merge_count&) = default;
};

struct merge_report {
  int schema_version = 0;  // of the source
  merge_count runs;
  merge_count points;
  merge_count attempts;
  std::int64_t profiles_added = 0;  // to attempts that were there
};

// One transaction; the source is only read. Throws store_error, the destination being as it was, for a source
// that cannot be read, is the destination itself or contradicts it (store_fault::conflict).
merge_report merge_database(const std::filesystem::path& source, const merge_options& options);

}  // namespace results
