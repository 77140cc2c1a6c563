#include "harness/command_line/repeat.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "harness/command_line/run_arguments.h"
#include "harness/execution/published.h"
#include "workloads/catalog.h"
#include "workloads/spec.h"

namespace harness {
namespace {

using nlohmann::json;

constexpr const char* stored = "the stored workload";

std::string path_of(const std::string& assignment) { return assignment.substr(0, assignment.find('=')); }

// Bare words need no quotes, unless they would be read as something else.
std::string value_text(const json& value) {
  if (!value.is_string()) return value.dump();
  const auto& word = value.get_ref<const std::string&>();
  const bool is_bare = !word.empty() && !json::accept(word) && word.find_first_of("[{\"") != 0;
  return is_bare ? word : value.dump();
}

// A later version may know settings that the stored point does not.
bool is_meant(const workloads::point& candidate, const results::loaded_point& wanted) {
  const json flat = workloads::to_flat_json(candidate.requested);
  return std::ranges::all_of(wanted.point.requested.items(), [&](const auto& entry) {
    return flat.contains(entry.key()) && flat.at(entry.key()) == entry.value();
  });
}

bool is_same_grid(const workloads::point& a, const workloads::point& b) {
  return a.requested.system == b.requested.system && a.extra_label == b.extra_label;
}

// The run's workload, and how to name it on a command line.
class stored_workload {
 public:
  [[nodiscard]] static std::optional<stored_workload> of(const results::loaded_run& run) {
    auto workload = workloads::parse_workload(run.workload.resolved_json, stored);
    if (!workload) return std::nullopt;
    if (const auto typed = read_run_arguments(run.run.command_line))
      return stored_workload(run, *std::move(workload), typed->workload);
    const auto file = workloads::find_workload(run.run.workload_name);
    const auto shipped = file ? workloads::load_workload(*file) : tl::unexpected(file.error());
    if (!shipped || shipped->hash != run.workload.hash) return std::nullopt;
    return stored_workload(run, *std::move(workload), {.workload = run.run.workload_name});
  }

  [[nodiscard]] std::optional<results::repeat_command> repeat(const results::loaded_point& wanted) const {
    const auto point = std::ranges::find(workload_.points, wanted.point.label, &workloads::point::label);
    if (point == workload_.points.end()) return std::nullopt;
    const std::vector<std::string> narrowed = narrowing(*point);
    const auto smaller = workloads::parse_workload(run_->workload.resolved_json, stored,
                                                   {.set = narrowed, .systems = {point->requested.system}});
    if (!smaller) return std::nullopt;
    const auto again =
        std::ranges::find_if(smaller->points, [&](const auto& p) { return is_meant(p, wanted); });
    if (again == smaller->points.end()) return std::nullopt;
    results::repeat_command made{.command = command(wanted, narrowed), .label = again->label};
    for (const workloads::point& other : smaller->points) {
      if (&other != &*again) made.also.push_back(other.label);
    }
    return made;
  }

 private:
  stored_workload(const results::loaded_run& run, workloads::workload workload, workload_arguments typed)
      : run_(&run), workload_(std::move(workload)), typed_(std::move(typed)) {}

  // Every axis along which the point has neighbours, set to the point's own value.
  [[nodiscard]] std::vector<std::string> narrowing(const workloads::point& point) const {
    std::set<std::string> axes;
    const json own = workloads::to_flat_json(point.requested);
    for (const workloads::point& other : workload_.points) {
      if (!is_same_grid(point, other)) continue;
      const json flat = workloads::to_flat_json(other.requested);
      for (const auto& [path, value] : own.items()) {
        if (flat.contains(path) && flat.at(path) != value) axes.insert(path);
      }
    }
    std::vector<std::string> set;
    for (const std::string& path : axes) set.push_back(path + "=" + value_text(own.at(path)));
    return set;
  }

  [[nodiscard]] std::string command(const results::loaded_point& point,
                                    const std::vector<std::string>& narrowed) const {
    std::vector<std::string> set = typed_.set;
    std::erase_if(set, [&](const std::string& one) {
      return std::ranges::find(narrowed, path_of(one), path_of) != narrowed.end();
    });
    set.insert(set.end(), narrowed.begin(), narrowed.end());
    std::string text = fmt::format("essbench run {} --device {} --system {}", shell_word(typed_.workload),
                                   shell_word(point.point.device), point.point.system);
    for (const std::string& one : set) text += " --set " + shell_word(one);
    return text;
  }

  const results::loaded_run* run_;
  workloads::workload workload_;
  workload_arguments typed_;
};

}  // namespace

std::map<std::string, results::repeat_command> repeat_commands(const results::loaded_run& run) {
  std::map<std::string, results::repeat_command> commands;
  const auto workload = stored_workload::of(run);
  if (!workload) return commands;
  for (const results::loaded_point& point : run.points) {
    if (auto command = workload->repeat(point)) commands.emplace(point.point.label, *std::move(command));
  }
  return commands;
}

std::vector<results::published_row> published_rows(const results::loaded_run& run) {
  std::vector<results::published_row> rows;
  const auto typed = read_run_arguments(run.run.command_line);
  auto workload = workloads::parse_workload(run.workload.resolved_json, stored);
  if (!typed || !workload) return rows;
  for (const std::string& one : typed->workload.set) workload->set_paths.push_back(path_of(one));
  if (!is_as_published(*workload)) return rows;
  for (const published_beside& beside : beside_published(*workload, run)) {
    if (!beside.ours) continue;
    const workloads::published_value& value = beside.published;
    rows.push_back({.point = beside.point,
                    .metric = value.metric,
                    .unit = value.unit,
                    .source = value.calibrates.empty()
                                  ? value.source
                                  : fmt::format("{}; calibrates {}", value.source, value.calibrates),
                    .published = value.value,
                    .ours = *beside.ours});
  }
  return rows;
}

}  // namespace harness
