// Reading checked values out of a JSON tree. Shared by the parts of the reader; not for use outside.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "workloads/document.h"

namespace workloads {

inline constexpr std::array<std::string_view, 3> heading_keys = {"name", "description", "kind"};
inline constexpr std::array<std::string_view, 5> section_keys = {"exclude", "overrides", "extra_points",
                                                                 "expect", "published"};

[[nodiscard]] bool contains(std::span<const std::string_view> words, std::string_view word);

// Reads values of one file, or of one --set option, which then is the "file".
class value_reader {
 public:
  explicit value_reader(std::string file) : file_(std::move(file)) {}

  [[nodiscard]] failure at(const json_node& node, std::string_view path, std::string what,
                           std::string hint = {}) const;
  [[nodiscard]] failure text(const json_node& node, std::string_view path,
                             std::string& out) const;  // not empty
  [[nodiscard]] failure number(const json_node& node, std::string_view path, double& out) const;
  [[nodiscard]] failure number_in(const json_node& node, std::string_view path, value_range allowed,
                                  double& out) const;
  [[nodiscard]] failure whole(const json_node& node, std::string_view path, value_range allowed,
                              std::int32_t& out) const;
  [[nodiscard]] failure must_be_list(const json_node& node, std::string_view path) const;
  [[nodiscard]] failure must_be_object(const json_node& node, std::string_view path) const;
  // That `node` has no key but the known ones, and all of the required. `section` is its path; empty: the
  // root.
  [[nodiscard]] failure check_keys(const json_node& node, std::string_view section,
                                   std::span<const std::string_view> known,
                                   std::span<const std::string_view> required) const;

 protected:
  std::string file_;
};

// Where a layer stands decides which keys it may have and whether lists are axes.
enum class layer_scope : std::uint8_t { grid, override_of_system, exclusion, extra };

class layer_reader : public value_reader {
 public:
  layer_reader(std::string file, workload_kind kind) : value_reader(std::move(file)), kind_(kind) {}

  // All settings of an object; groups may be nested ({"link": {"paced": true}}) or dotted ("link.paced").
  [[nodiscard]] failure read_layer(const json_node& object, const std::string& prefix, layer_scope scope,
                                   layer& into) const;
  [[nodiscard]] failure read_key(const json_node& node, const std::string& path, layer_scope scope,
                                 layer& into) const;

 private:
  [[nodiscard]] failure unknown(const json_node& node, std::string_view path, layer_scope scope) const;
  [[nodiscard]] failure read_field(const json_node& node, const field& of, layer_scope scope,
                                   layer& into) const;
  [[nodiscard]] failure read_values(const json_node& node, const field& of, layer_scope scope,
                                    given& into) const;
  [[nodiscard]] failure read_value(const json_node& node, const field& of, const std::string& path,
                                   given& into) const;

  workload_kind kind_;
};

[[nodiscard]] bool is_group(std::string_view path);  // "link"

// One of heading_keys, into the document.
[[nodiscard]] failure read_heading_key(const value_reader& reader, const json_node& node,
                                       std::string_view key, document& into);
// exclude, overrides, extra_points, expect, published
[[nodiscard]] failure read_sections(const json_node& root, document& into);

// --set path=value
struct assignment {
  std::string said;  // "--set batch=4": what errors name in place of a file
  std::string path;
  json_node value;
};
[[nodiscard]] failure parse_assignments(const spec_options& options, std::vector<assignment>& into);
[[nodiscard]] failure apply_headings(const std::vector<assignment>& assignments, document& to);
[[nodiscard]] failure apply_settings(const std::vector<assignment>& assignments, document& to);
// --system: points, and what is said about points, of these systems only
[[nodiscard]] failure keep_systems(const std::vector<system_kind>& kept, document& in);

}  // namespace workloads
