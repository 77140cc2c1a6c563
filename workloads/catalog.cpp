#include "workloads/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "workloads/spec.h"
#include "workloads/suggest.h"

namespace workloads {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> existing(std::vector<fs::path> folders) {
  std::erase_if(folders, [](const fs::path& folder) {
    std::error_code ignored;
    return folder.empty() || !fs::is_directory(folder, ignored);
  });
  return folders;
}

fs::path installed_folder() {
  std::error_code code;
  const fs::path executable = fs::read_symlink("/proc/self/exe", code);
  if (code) return {};
  return executable.parent_path().parent_path() / "share" / "essbench" / "workloads";
}

// name -> file; the first folder wins.
std::map<std::string, fs::path> files_in(const std::vector<fs::path>& folders) {
  std::map<std::string, fs::path> files;
  for (const fs::path& folder : folders) {
    std::error_code code;
    for (const auto& entry : fs::directory_iterator(folder, code)) {
      if (entry.path().extension() == ".json") files.emplace(entry.path().stem().string(), entry.path());
    }
  }
  return files;
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

tl::unexpected<spec_error> not_found(std::string_view name, const std::map<std::string, fs::path>& files) {
  std::vector<std::string_view> known;
  for (const auto& [shipped, file] : files) known.push_back(shipped);
  const bool is_path = name.find('/') != name.npos || name.ends_with(".json");
  std::string hint = did_you_mean(name, known);
  if (hint.empty() && !known.empty()) hint = fmt::format("there are: {}", fmt::join(known, ", "));
  return tl::unexpected(
      spec_error{.what = is_path ? "no such file" : "no workload of this name, and no such file",
                 .hint = is_path ? std::string() : std::move(hint),
                 .file = std::string(name)});
}

catalog_entry describe(const std::string& name, const fs::path& file) {
  const auto made = load_workload(file);
  if (!made) return {.name = name, .file = file, .fault = to_string(made.error())};
  return {.name = name,
          .file = file,
          .description = made->description,
          .kind = made->kind,
          .points = static_cast<int>(made->points.size())};
}

}  // namespace

std::vector<fs::path> catalog_folders() {
  return existing({fs::path(ESSBENCH_WORKLOADS_SOURCE_DIR), installed_folder()});
}

result<fs::path> find_workload(std::string_view name_or_path) {
  return find_workload(name_or_path, catalog_folders());
}

result<fs::path> find_workload(std::string_view name_or_path, const std::vector<fs::path>& folders) {
  if (is_file(fs::path(name_or_path))) return fs::path(name_or_path);
  const auto files = files_in(folders);
  const auto at = files.find(std::string(name_or_path));
  if (at == files.end()) return not_found(name_or_path, files);
  return at->second;
}

std::vector<catalog_entry> list_workloads() { return list_workloads(catalog_folders()); }

std::vector<catalog_entry> list_workloads(const std::vector<fs::path>& folders) {
  std::vector<catalog_entry> entries;
  for (const auto& [name, file] : files_in(folders)) entries.push_back(describe(name, file));
  return entries;
}

}  // namespace workloads
