// What the command line changes in a workload: --set and --system.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "workloads/reading.h"

namespace workloads {
namespace {

using nlohmann::json;

void drop_lines(json_node& node) {
  node.line = 0;
  for (json_node& item : node.items) drop_lines(item);
}

// Bare words need no quotes: a value that is not JSON is text, unless it clearly tries to be JSON.
failure parse_value(const std::string& value, const std::string& said, json_node& into) {
  auto parsed = parse_json(value, said);
  const bool tries_json = !value.empty() && std::string_view("[{\"").find(value[0]) != std::string_view::npos;
  if (!parsed && tries_json) {
    parsed.error().line = 0;
    return parsed.error();
  }
  if (!parsed) into.scalar = json::parse(json(value).dump(-1, ' ', false, json::error_handler_t::replace));
  if (parsed) into = std::move(*parsed);
  drop_lines(into);
  return std::nullopt;
}

failure parse_assignment(const std::string& option, assignment& into) {
  into.said = "--set " + option;
  const auto equals = option.find('=');
  if (equals == std::string::npos || equals == 0) {
    return spec_error{.path = option, .what = "must have the form path=value", .file = into.said};
  }
  into.path = option.substr(0, equals);
  return parse_value(option.substr(equals + 1), into.said, into.value);
}

failure read_setting(const assignment& one, workload_kind kind, layer& all) {
  if (contains(heading_keys, one.path)) return std::nullopt;
  if (contains(section_keys, one.path)) {
    return spec_error{.path = one.path,
                      .what = fmt::format("'{}' can only be set in the file", one.path),
                      .file = one.said};
  }
  return layer_reader(one.said, kind).read_key(one.value, one.path, layer_scope::grid, all);
}

// What was said about points that are gone.
void drop_unselected(document& in) {
  const std::vector<json>& systems = in.base.find("system")->second.values;
  const auto gone = [&](const point_selector& of) {
    if (of.system) return std::ranges::find(systems, json(to_string(*of.system))) == systems.end();
    return std::ranges::find(in.extra_points, of.label, &extra_point::label) == in.extra_points.end();
  };
  std::erase_if(in.expectations, [&](const expectation& e) { return gone(e.of); });
  std::erase_if(in.published, [&](const published_value& p) { return gone(p.of); });
}

}  // namespace

failure parse_assignments(const spec_options& options, std::vector<assignment>& into) {
  for (const std::string& option : options.set) {
    if (auto wrong = parse_assignment(option, into.emplace_back())) return wrong;
  }
  return std::nullopt;
}

failure apply_headings(const std::vector<assignment>& assignments, document& to) {
  for (const assignment& one : assignments) {
    if (!contains(heading_keys, one.path)) continue;
    if (auto wrong = read_heading_key(value_reader(one.said), one.value, one.path, to)) return wrong;
  }
  return std::nullopt;
}

failure apply_settings(const std::vector<assignment>& assignments, document& to) {
  layer all;  // apart from the file, so that a path, or two alternatives, set twice is noticed
  for (const assignment& one : assignments) {
    if (auto wrong = read_setting(one, to.kind, all)) return wrong;
  }
  for (auto& [path, value] : all) {
    const field& of = *find_field(path);
    for (auto& [system, overrides] : to.overrides) erase_with_alternative(overrides, of);
    put(to.base, of, std::move(value));
  }
  return std::nullopt;
}

failure keep_systems(const std::vector<system_kind>& kept, document& in) {
  std::vector<std::string> had;
  const auto filter = [&](given& systems) {
    for (const json& name : systems.values) had.push_back(name.get<std::string>());
    std::erase_if(systems.values, [&](const json& name) {
      return std::ranges::find(kept, parse_system(name.get<std::string>()).value()) == kept.end();
    });
    return systems.values.empty();
  };
  const bool grid_is_empty = filter(in.base.find("system")->second);
  std::erase_if(in.extra_points, [&](extra_point& extra) {
    const auto own = extra.set.find("system");
    return own == extra.set.end() ? grid_is_empty : filter(own->second);
  });
  drop_unselected(in);
  if (!grid_is_empty || !in.extra_points.empty()) return std::nullopt;
  std::ranges::sort(had);
  had.erase(std::unique(had.begin(), had.end()), had.end());
  return spec_error{.path = "systems",
                    .what = fmt::format("no point of '{}' in this workload", to_string(kept[0])),
                    .hint = fmt::format("it has: {}", fmt::join(had, ", ")),
                    .file = "--system"};
}

}  // namespace workloads
