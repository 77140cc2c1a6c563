// What importers are told and what they tell.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "results/record.h"

namespace results {

struct import_options {
  std::filesystem::path into;    // made if there is no such file
  std::string essbench_version;  // of this program, for the record
  utc_time at;
};

struct import_count {
  std::int64_t added = 0;
  std::int64_t there = 0;

  friend bool operator==(const import_count&, const import_count&) = default;
};

struct import_report {
  std::string kind;            // "essbench", "google_benchmark", "nsys"
  std::string source_version;  // "schema 3"; empty where the source does not say
  import_count runs;
  import_count points;
  import_count attempts;
  import_count profiles;
  std::string note;  // for people: what could not be used
};

}  // namespace results
