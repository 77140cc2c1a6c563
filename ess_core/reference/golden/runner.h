// Runs golden sets through a table of operations. A test links ess::golden, calls run_folder(golden_folder(),
// operations) and expects every report to be without faults.
#pragma once

#include <filesystem>
#include <vector>

#include "ess_core/reference/golden/check.h"
#include "ess_core/reference/golden/operations.h"

namespace ess::golden {

enum class golden_source : std::uint8_t { tree, environment };

struct golden_place {
  std::filesystem::path folder;
  golden_source source = golden_source::tree;
};

// The folder that ESSBENCH_GOLDEN_DIR names, else the one that comes with the source tree.
[[nodiscard]] golden_place golden_folder();

// One set. Throws golden_error if it cannot be read, or no case knows its name.
[[nodiscard]] set_report run_set(const std::filesystem::path& set_folder, const operations& run);

// Every subfolder, in the order of names. A set that run_set throws for has that as its fault. Throws
// golden_error if there is no such folder or no set in it.
[[nodiscard]] std::vector<set_report> run_folder(const std::filesystem::path& folder, const operations& run);

}  // namespace ess::golden
