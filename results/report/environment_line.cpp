#include <fmt/format.h>

#include "results/report/findings.h"
#include "results/text_table.h"

namespace results {
namespace {

// The text or number at a path of the environment; empty where there is none.
std::string at(const environment& env, const char* pointer) {
  const nlohmann::json::json_pointer where(pointer);
  if (!env.contains(where)) return {};
  const nlohmann::json& value = env.at(where);
  if (value.is_string()) return value.get<std::string>();
  return value.is_number() ? value.dump() : std::string();
}

std::string gigabytes(const environment& env, const char* pointer) {
  const nlohmann::json::json_pointer where(pointer);
  if (!env.contains(where) || !env.at(where).is_number()) return {};
  return fmt::format("{:.0f} GB", env.at(where).get<double>() * 1e-9);
}

void add(std::vector<std::string>& parts, const std::string& text, const char* after = "") {
  if (!text.empty()) parts.push_back(text + after);
}

}  // namespace

std::string environment_line(const loaded_run& run) {
  std::vector<std::string> parts;
  const std::string hardware = at(run.env, "/simulated/profile");
  add(parts, hardware.empty() ? "" : "simulated " + hardware);
  add(parts, at(run.env, "/gpu/name"));
  add(parts, gigabytes(run.env, "/gpu/memory_bytes"), " of GPU memory");
  add(parts, at(run.env, "/cpu/model"));
  const std::string cores = at(run.env, "/cpu/usable_cores");
  add(parts, cores, cores == "1" ? " core" : " cores");
  if (run.env.contains("ranks"))
    parts.push_back(fmt::format("{} ranks over {}", run.env.at("ranks").size(), at(run.env, "/communicator")));
  add(parts, gigabytes(run.env, "/memory/total_bytes"));
  add(parts, at(run.env, "/system/distribution"));
  add(parts, at(run.env, "/build/compiler") + " " + at(run.env, "/build/compiler_version"));
  std::string build = "essbench " + run.run.essbench_version;
  if (!run.run.git_revision.empty()) build += ", revision " + run.run.git_revision.substr(0, 12);
  if (run.run.git_dirty) build += " with local changes";
  parts.push_back(build);
  std::erase(parts, " ");
  return printable(fmt::format("{}", fmt::join(parts, ", ")));
}

}  // namespace results
