// Reading of a golden set's manifest.json and the files that it names.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "ess_core/reference/golden/golden_set.h"

namespace ess::golden {

struct manifest {
  std::string set;
  std::vector<golden_array> arrays;
  std::map<std::string, double> numbers;     // params that are numbers
  std::map<std::string, std::string> texts;  // params that are strings
};

// Throws golden_error, naming the file, for whatever does not fit the format.
[[nodiscard]] manifest read_manifest(const std::filesystem::path& folder);

}  // namespace ess::golden
