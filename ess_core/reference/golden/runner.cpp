#include "ess_core/reference/golden/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>
#include <utility>

#include "ess_core/reference/golden/cases.h"

namespace ess::golden {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::pair<std::string_view, golden_case>, 9> cases = {{
    {"number_formats", check_number_formats},
    {"latent_row", check_latent_row},
    {"yarn", check_yarn},
    {"index_key", check_index_key},
    {"indexer_scores", check_indexer_scores},
    {"sparse_attention", check_sparse_attention},
    {"sparse_attention_h128", check_sparse_attention},
    {"sparse_attention_split", check_sparse_attention_split},
    {"dsa_layer", check_dsa_layer},
}};

// Sorted, so that reports come in the same order everywhere.
std::set<fs::path> subfolders_of(const fs::path& folder) {
  std::set<fs::path> found;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder, failure)) {
    if (entry.is_directory()) found.insert(entry.path());
  }
  if (failure) throw golden_error(fmt::format("{}: {}", folder.string(), failure.message()));
  if (found.empty()) throw golden_error(fmt::format("{}: no golden set in it", folder.string()));
  return found;
}

set_report unreadable(const fs::path& set_folder, const golden_error& failure) {
  set_report report;
  report.set = set_folder.filename().string();
  report.faults.emplace_back(failure.what());
  return report;
}

}  // namespace

golden_case find_case(std::string_view set_name) {
  const auto found = std::ranges::find(cases, set_name, [](const auto& entry) { return entry.first; });
  return found == cases.end() ? nullptr : found->second;
}

golden_place golden_folder() {
  const char* given = std::getenv("ESSBENCH_GOLDEN_DIR");
  if (given != nullptr && *given != '\0') return {given, golden_source::environment};
  return {ESSBENCH_GOLDEN_TREE, golden_source::tree};
}

set_report run_set(const fs::path& set_folder, const operations& run) {
  const golden_set set(set_folder);
  const golden_case recompute = find_case(set.name());
  if (recompute == nullptr)
    throw golden_error(fmt::format("{}: unknown set \"{}\"", set_folder.string(), set.name()));
  golden_check check(set);
  recompute(set, run, check);
  return std::move(check).finish();
}

std::vector<set_report> run_folder(const fs::path& folder, const operations& run) {
  std::vector<set_report> reports;
  for (const fs::path& set_folder : subfolders_of(folder)) {
    try {
      reports.push_back(run_set(set_folder, run));
    } catch (const golden_error& failure) {
      reports.push_back(unreadable(set_folder, failure));
    }
  }
  return reports;
}

}  // namespace ess::golden
