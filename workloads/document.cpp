#include "workloads/document.h"

#include <fmt/format.h>

#include <utility>

#include "workloads/reading.h"

namespace workloads {
namespace {

failure read_headings(const json_node& root, document& into) {
  const value_reader reader(into.file);
  for (const std::string_view key : heading_keys) {
    const json_node* node = root.find(key);
    if (node == nullptr) continue;
    if (auto wrong = read_heading_key(reader, *node, key, into)) return wrong;
  }
  return std::nullopt;
}

failure check_required(const json_node& root, const document& in) {
  const value_reader reader(in.file);
  if (in.name.empty()) return reader.at(root, "name", "missing key 'name'");
  if (!in.base.contains("system")) return reader.at(root, "systems", "missing key 'systems'");
  return std::nullopt;
}

void fill_in_defaults(document& in) {
  static const settings defaults;
  for (const field& f : fields()) {
    if (!matters(f, in.kind) || gives_path_or_alternative(in.base, f)) continue;
    nlohmann::json value = f.get(defaults);
    if (!value.is_null()) in.base.emplace(f.path, given{.values = {std::move(value)}, .file = in.file});
  }
}

failure read_root(const json_node& root, const spec_options& options, document& into) {
  if (root.type != json_type::object) {
    return value_reader(into.file).at(root, "", "a workload must be an object, not " + describe(root));
  }
  std::vector<assignment> assignments;
  if (auto wrong = parse_assignments(options, assignments)) return wrong;
  if (auto wrong = read_headings(root, into)) return wrong;
  if (auto wrong = apply_headings(assignments, into))
    return wrong;  // first: `kind` decides which fields matter
  if (auto wrong = layer_reader(into.file, into.kind).read_layer(root, "", layer_scope::grid, into.base))
    return wrong;
  if (auto wrong = read_sections(root, into)) return wrong;
  if (auto wrong = apply_settings(assignments, into)) return wrong;
  if (auto wrong = check_required(root, into)) return wrong;
  if (options.systems.empty()) return std::nullopt;
  return keep_systems(options.systems, into);
}

}  // namespace

void erase_with_alternative(layer& from, const field& of) {
  from.erase(std::string(of.path));
  if (!of.alternative.empty()) from.erase(std::string(of.alternative));
}

void put(layer& into, const field& of, given value) {
  erase_with_alternative(into, of);
  into.emplace(of.path, std::move(value));
}

bool gives_path_or_alternative(const layer& in, const field& of) {
  return in.contains(of.path) || (!of.alternative.empty() && in.contains(of.alternative));
}

failure read_heading_key(const value_reader& reader, const json_node& node, std::string_view key,
                         document& into) {
  if (key == "description") return reader.text(node, key, into.description);
  std::string word;
  if (auto wrong = reader.text(node, key, word)) return wrong;
  if (key == "name") {
    into.name = word;
    return std::nullopt;
  }
  const auto kind = parse_workload_kind(word);
  if (!kind) {
    return reader.at(node, key, fmt::format("'kind' cannot be '{}'", word),
                     fmt::format("one of: {}", fmt::join(workload_kind_names(), ", ")));
  }
  into.kind = *kind;
  return std::nullopt;
}

result<document> read_document(std::string_view text, std::string_view file, const spec_options& options) {
  const auto root = parse_json(text, file);
  if (!root) return tl::unexpected(root.error());
  document read{.file = std::string(file)};
  if (auto wrong = read_root(*root, options, read)) return tl::unexpected(*wrong);
  fill_in_defaults(read);
  return read;
}

}  // namespace workloads
