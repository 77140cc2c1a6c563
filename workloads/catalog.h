// Where workload files are: a path, or the name of one that ships.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/error.h"
#include "workloads/names.h"

namespace workloads {

// The folders that are searched, those that exist: the source tree's workloads/ that this library was built
// from, then <prefix>/share/essbench/workloads of the running executable <prefix>/bin/essbench.
[[nodiscard]] std::vector<std::filesystem::path> catalog_folders();

// "quick" or a path ("./mine.json", "mine"); an existing file goes before a shipped name.
[[nodiscard]] result<std::filesystem::path> find_workload(std::string_view name_or_path);
[[nodiscard]] result<std::filesystem::path> find_workload(std::string_view name_or_path,
                                                          const std::vector<std::filesystem::path>& folders);

struct catalog_entry {
  std::string name;  // of the file, without .json
  std::filesystem::path file;
  std::string description;
  workload_kind kind = workload_kind::fixed;
  int points = 0;
  std::string fault;  // why it cannot be read; empty: it can
};

// By name; of two files of one name the first folder's.
[[nodiscard]] std::vector<catalog_entry> list_workloads();
[[nodiscard]] std::vector<catalog_entry> list_workloads(const std::vector<std::filesystem::path>& folders);

}  // namespace workloads
