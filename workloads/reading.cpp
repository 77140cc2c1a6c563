#include "workloads/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "workloads/suggest.h"

namespace workloads {
namespace {

using nlohmann::json;

// The grid names its axis of systems in the plural.
const field* field_for_key(std::string_view path, layer_scope scope) {
  if (scope == layer_scope::grid && path == "systems") return find_field("system");
  if (path == "system" && (scope == layer_scope::grid || scope == layer_scope::override_of_system))
    return nullptr;
  return find_field(path);
}

std::string key_of(const field& of, layer_scope scope) {
  return scope == layer_scope::grid && of.path == "system" ? "systems" : std::string(of.path);
}

}  // namespace

bool contains(std::span<const std::string_view> words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

bool is_group(std::string_view path) {
  return std::ranges::any_of(fields(), [&](const field& f) {
    return f.path.size() > path.size() && f.path.starts_with(path) && f.path[path.size()] == '.';
  });
}

failure value_reader::at(const json_node& node, std::string_view path, std::string what,
                         std::string hint) const {
  return spec_error{.path = std::string(path),
                    .line = node.line,
                    .what = std::move(what),
                    .hint = std::move(hint),
                    .file = file_};
}

failure value_reader::text(const json_node& node, std::string_view path, std::string& out) const {
  if (!node.is_text()) return at(node, path, fmt::format("'{}' must be text, not {}", path, describe(node)));
  out = node.scalar.get<std::string>();
  if (out.empty() && path != "description") return at(node, path, fmt::format("'{}' is empty", path));
  return std::nullopt;
}

failure value_reader::number(const json_node& node, std::string_view path, double& out) const {
  const bool is_number = node.type == json_type::scalar && node.scalar.is_number();
  if (!is_number) return at(node, path, fmt::format("'{}' must be a number, not {}", path, describe(node)));
  out = node.scalar.get<double>();
  return std::nullopt;
}

failure value_reader::number_in(const json_node& node, std::string_view path, value_range allowed,
                                double& out) const {
  if (auto wrong = number(node, path, out)) return wrong;
  const bool high_enough = allowed.above_min ? out > allowed.min : out >= allowed.min;
  if (high_enough && out <= allowed.max) return std::nullopt;
  return at(node, path, fmt::format("'{}' is {}, but must be {}", path, out, interval_text(allowed)));
}

failure value_reader::whole(const json_node& node, std::string_view path, value_range allowed,
                            std::int32_t& out) const {
  double value = 0.0;
  if (auto wrong = number_in(node, path, allowed, value)) return wrong;
  if (value != std::floor(value))
    return at(node, path, fmt::format("'{}' is {}, but must be a whole number", path, value));
  out = static_cast<std::int32_t>(value);
  return std::nullopt;
}

failure value_reader::must_be_list(const json_node& node, std::string_view path) const {
  if (node.type == json_type::array) return std::nullopt;
  return at(node, path, fmt::format("'{}' must be a list, not {}", path, describe(node)));
}

failure value_reader::must_be_object(const json_node& node, std::string_view path) const {
  if (node.type == json_type::object) return std::nullopt;
  return at(node, path, fmt::format("'{}' must be an object, not {}", path, describe(node)));
}

failure value_reader::check_keys(const json_node& node, std::string_view section,
                                 std::span<const std::string_view> known,
                                 std::span<const std::string_view> required) const {
  const std::string prefix = section.empty() ? "" : fmt::format("{}.", section);
  const std::string place = section.empty() ? "" : fmt::format(" in '{}'", section);
  for (std::size_t i = 0; i < node.keys.size(); ++i) {
    const std::string& key = node.keys[i];
    if (contains(known, key)) continue;
    return at(node.items[i], prefix + key, fmt::format("unknown key '{}'{}", key, place),
              did_you_mean(key, known));
  }
  for (const std::string_view key : required) {
    if (node.find(key) != nullptr) continue;
    return at(node, fmt::format("{}{}", prefix, key), fmt::format("missing key '{}'{}", key, place));
  }
  return std::nullopt;
}

failure layer_reader::read_layer(const json_node& object, const std::string& prefix, layer_scope scope,
                                 layer& into) const {
  for (std::size_t i = 0; i < object.keys.size(); ++i) {
    const std::string& key = object.keys[i];
    const json_node& node = object.items[i];
    const bool at_root = scope == layer_scope::grid && prefix.empty();
    if (at_root && (contains(heading_keys, key) || contains(section_keys, key))) continue;
    if (auto wrong = read_key(node, prefix.empty() ? key : prefix + "." + key, scope, into)) return wrong;
  }
  return std::nullopt;
}

failure layer_reader::read_key(const json_node& node, const std::string& path, layer_scope scope,
                               layer& into) const {
  if (const field* f = field_for_key(path, scope)) return read_field(node, *f, scope, into);
  if (!is_group(path)) return unknown(node, path, scope);
  if (auto wrong = must_be_object(node, path)) return wrong;
  return read_layer(node, path, scope, into);
}

failure layer_reader::unknown(const json_node& node, std::string_view path, layer_scope scope) const {
  std::vector<std::string_view> known;
  for (const field& f : fields()) {
    if (field_for_key(f.path, scope) != nullptr) known.push_back(f.path);
  }
  if (scope == layer_scope::grid) {
    known.push_back("systems");
    known.insert(known.end(), heading_keys.begin(), heading_keys.end());
    known.insert(known.end(), section_keys.begin(), section_keys.end());
  }
  return at(node, path, fmt::format("unknown key '{}'", path), did_you_mean(path, known));
}

failure layer_reader::read_field(const json_node& node, const field& of, layer_scope scope,
                                 layer& into) const {
  const std::string path = key_of(of, scope);
  if (into.contains(of.path)) {
    return at(node, path, fmt::format("repeated key '{}'", path),
              node.line == 0 ? "" : fmt::format("first given in line {}", into.find(of.path)->second.line));
  }
  if (!of.alternative.empty() && into.contains(of.alternative)) {
    return at(node, path, fmt::format("'{}' and '{}' exclude each other", path, of.alternative),
              "give one of them");
  }
  if (!matters(of, kind_)) {
    return at(node, path,
              fmt::format("'{}' has no effect in a workload of kind '{}'", path, to_string(kind_)),
              "remove it");
  }
  given values;
  if (auto wrong = read_values(node, of, scope, values)) return wrong;
  into.emplace(of.path, std::move(values));
  return std::nullopt;
}

failure layer_reader::read_values(const json_node& node, const field& of, layer_scope scope,
                                  given& into) const {
  const std::string path = key_of(of, scope);
  into.line = node.line;
  into.file = file_;
  if (node.type != json_type::array) return read_value(node, of, path, into);
  if (scope == layer_scope::override_of_system || scope == layer_scope::exclusion) {
    return at(node, path, fmt::format("'{}' must be a single value here", path),
              "a list is an axis, which only the grid and extra_points have");
  }
  const bool may_be_empty = path == "systems";  // what --system leaves where only extra points match
  if (node.items.empty() && !may_be_empty) return at(node, path, fmt::format("'{}' is an empty list", path));
  for (const json_node& item : node.items) {
    if (auto wrong = read_value(item, of, path, into)) return wrong;
  }
  return std::nullopt;
}

failure layer_reader::read_value(const json_node& node, const field& of, const std::string& path,
                                 given& into) const {
  if (node.type != json_type::scalar) {
    return at(node, path, fmt::format("'{}' must not be {}", path, describe(node)));
  }
  json value = node.scalar;
  if (auto wrong = normalise(of, value)) {
    return at(node, path, fmt::format("'{}' {}", path, wrong->what), wrong->hint);
  }
  if (std::ranges::find(into.values, value) != into.values.end()) {
    return at(node, path, fmt::format("'{}' lists {} twice", path, value.dump()));
  }
  into.values.push_back(std::move(value));
  return std::nullopt;
}

}  // namespace workloads
