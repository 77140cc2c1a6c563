#include "results/matching.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace results {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 4> machine_settings = {
    "device_budget_bytes", "device_budget_beyond_weights_bytes", "host_budget_bytes", "cpu_threads"};
constexpr std::array<std::string_view, 4> machine_groups = {"link.", "cluster.", "measure.", "accuracy."};

bool is_of_machine(std::string_view path) {
  return std::ranges::find(machine_settings, path) != machine_settings.end() ||
         std::ranges::any_of(machine_groups, [&](std::string_view group) { return path.starts_with(group); });
}

std::string text_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

json builds_of(const loaded_run& run) {
  return {{"essbench_version", run.run.essbench_version},
          {"git_revision", run.run.git_revision},
          {"git_dirty", run.run.git_dirty},
          {"workload", run.run.workload_name},
          {"workload_hash", run.workload.hash}};
}

// {"/cpu/model": value} as {"cpu.model": value}
json flat(const json& nested) {
  json made = json::object();
  const json leaves = nested.flatten();  // named: items() refers to it
  for (const auto& [pointer, value] : leaves.items()) {
    std::string path = pointer.empty() ? pointer : pointer.substr(1);
    std::ranges::replace(path, '/', '.');
    made[path] = value;
  }
  return made;
}

void add_differences(const std::string& prefix, const json& a, const json& b, std::vector<difference>& into) {
  std::set<std::string> paths;
  for (const json* side : {&a, &b}) {
    for (const auto& [path, value] : side->items()) paths.insert(path);
  }
  const auto side_text = [](const json& side, const std::string& path) {
    return side.contains(path) ? text_of(side.at(path)) : "-";
  };
  for (const std::string& path : paths) {
    difference found{prefix + path, side_text(a, path), side_text(b, path)};
    if (found.a != found.b) into.push_back(std::move(found));
  }
}

// What times depend on most, as JSON pointers into an environment.
constexpr std::array<const char*, 11> decisive = {"/cpu/model",        "/cpu/usable_cores",  "/cpu/smt",
                                                  "/gemm/simd",        "/gemm/kernel",       "/gpu/name",
                                                  "/gpu/cuda_driver",  "/gpu/emulated",      "/build/type",
                                                  "/build/sanitizers", "/build/architecture"};

json at_or_null(const json& of, const json::json_pointer& where) {
  return of.contains(where) ? of.at(where) : json(nullptr);
}

bool memory_is_alike(const json& a, const json& b) {
  if (!a.is_number() || !b.is_number()) return a == b;
  return std::abs(a.get<double>() - b.get<double>()) <= 0.05 * a.get<double>();
}

}  // namespace

json matching_key(const loaded_point& point) {
  json key = {{"(label)", point.point.label}, {"(system)", point.point.system}};
  for (const auto& [path, value] : point.point.requested.items()) {
    if (!is_of_machine(path)) key[path] = value;
  }
  return key;
}

std::vector<difference> all_differences(const loaded_run& a, const loaded_run& b) {
  std::vector<difference> found;
  add_differences("", builds_of(a), builds_of(b), found);
  add_differences("environment.", flat(a.env), flat(b.env), found);
  return found;
}

std::vector<difference> unlike_environments(const environment& a, const environment& b) {
  std::vector<difference> found;
  const auto look = [&](const char* pointer, auto&& alike) {
    const json::json_pointer where(pointer);
    const json left = at_or_null(a, where), right = at_or_null(b, where);
    if (alike(left, right)) return;
    std::string path = std::string(pointer).substr(1);
    std::ranges::replace(path, '/', '.');
    found.push_back({"environment." + path, text_of(left), text_of(right)});
  };
  if (a.contains("simulated") || b.contains("simulated")) {  // a virtual clock is the same everywhere
    look("/simulated", std::equal_to<>{});
    return found;
  }
  for (const char* pointer : decisive) look(pointer, std::equal_to<>{});
  look("/memory/total_bytes", memory_is_alike);
  return found;
}

}  // namespace results
