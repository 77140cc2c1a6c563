#include "workloads/hardware_reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>
#include <vector>

#include "workloads/reading.h"

namespace workloads {
namespace {

using ess::sim::evidence;
using ess::sim::hardware;

constexpr std::array<std::string_view, 6> profile_keys = {"name",    "description", "cluster",
                                                          "figures", "tables",      "operations"};
constexpr std::array<std::string_view, 4> required_keys = {"name", "description", "cluster", "figures"};
constexpr std::array<std::string_view, 2> cluster_keys = {"nodes", "ep"};
constexpr std::array<std::string_view, 3> figure_keys = {"value", "level", "source"};
constexpr std::array<std::string_view, 4> table_keys = {"level", "source", "rows", "extension"};
constexpr std::array<std::string_view, 3> required_table_keys = {"level", "source", "rows"};

constexpr value_range ranks = {.min = 1, .max = most_ranks};
constexpr value_range above_zero = {.above_min = true};
constexpr value_range share = {.max = 1};
constexpr value_range share_above_zero = {.max = 1, .above_min = true};
constexpr value_range not_negative = {};

value_range allowed_for(std::string_view figure) {
  if (figure == "imbalance") return not_negative;
  if (figure.ends_with("_share")) return share;
  return figure.ends_with("_efficiency") ? share_above_zero : above_zero;
}

template <typename Fields>
std::vector<std::string_view> names_of(const Fields& fields) {
  std::vector<std::string_view> names;
  for (const auto& field : fields) names.push_back(field.name);
  return names;
}

struct table_row {
  double x = 1;  // of tables over one size
  double y = 0;
  double us = 0;
};

std::vector<ess::sim::table_curve> curves_of(std::vector<table_row> rows) {
  std::ranges::stable_sort(rows, {}, [](const table_row& row) { return std::pair(row.x, row.y); });
  std::vector<ess::sim::table_curve> curves;
  for (const table_row& row : rows) {
    if (curves.empty() || curves.back().x != row.x) curves.push_back({row.x, {}});
    curves.back().points.push_back({row.y, row.us});
  }
  return curves;
}

class hardware_reader : public value_reader {
 public:
  using value_reader::value_reader;

  [[nodiscard]] failure read(const json_node& root, hardware& into) const {
    if (root.type != json_type::object) return at(root, "", "a hardware profile must be an object");
    if (auto wrong = check_keys(root, "", profile_keys, required_keys)) return wrong;
    if (auto wrong = text(*root.find("name"), "name", into.name)) return wrong;
    if (auto wrong = text(*root.find("description"), "description", into.description)) return wrong;
    if (auto wrong = read_figures(*root.find("figures"), into)) return wrong;
    if (auto wrong = read_cluster(*root.find("cluster"), into)) return wrong;
    const json_node* tables = root.find("tables");
    if (tables != nullptr) {
      if (auto wrong = read_tables(*tables, into)) return wrong;
    }
    const json_node* operations = root.find("operations");
    return operations == nullptr ? std::nullopt : read_operations(*operations, into);
  }

 private:
  // After the figures: the nodes must hold all ranks.
  [[nodiscard]] failure read_cluster(const json_node& node, hardware& into) const {
    if (auto wrong = must_be_object(node, "cluster")) return wrong;
    if (auto wrong = check_keys(node, "cluster", cluster_keys, cluster_keys)) return wrong;
    if (auto wrong = whole(*node.find("nodes"), "cluster.nodes", ranks, into.nodes)) return wrong;
    if (auto wrong = whole(*node.find("ep"), "cluster.ep", ranks, into.expert_ranks)) return wrong;
    const double gpus = into.nodes * into.gpus_per_node.value;
    if (into.expert_ranks <= gpus) return std::nullopt;
    return at(*node.find("ep"), "cluster.ep",
              fmt::format("'cluster.ep' is {}, but the nodes have {} GPUs", into.expert_ranks, gpus));
  }

  [[nodiscard]] failure read_figures(const json_node& node, hardware& into) const {
    if (auto wrong = must_be_object(node, "figures")) return wrong;
    const auto known = names_of(ess::sim::figure_fields());
    if (auto wrong = check_keys(node, "figures", known, known)) return wrong;
    for (const auto& [name, member] : ess::sim::figure_fields()) {
      const std::string path = fmt::format("figures.{}", name);
      const json_node& given = *node.find(name);
      ess::sim::figure& figure = into.*member;
      if (auto wrong = must_be_object(given, path)) return wrong;
      if (auto wrong = check_keys(given, path, figure_keys, figure_keys)) return wrong;
      if (auto wrong = number_in(*given.find("value"), path + ".value", allowed_for(name), figure.value))
        return wrong;
      if (auto wrong = read_evidence(given, path, figure.level, figure.source)) return wrong;
    }
    return std::nullopt;
  }

  [[nodiscard]] failure read_evidence(const json_node& node, const std::string& path, evidence& level,
                                      std::string& source) const {
    std::string word;
    if (auto wrong = text(*node.find("level"), path + ".level", word)) return wrong;
    const auto known = ess::sim::parse_evidence(word);
    if (!known) {
      return at(*node.find("level"), path + ".level",
                fmt::format("'{}.level' is \"{}\", but must be measured, published, derived or assumed", path,
                            word));
    }
    level = *known;
    return text(*node.find("source"), path + ".source", source);
  }

  [[nodiscard]] failure read_tables(const json_node& node, hardware& into) const {
    if (auto wrong = must_be_object(node, "tables")) return wrong;
    if (auto wrong = check_keys(node, "tables", names_of(ess::sim::table_fields()), {})) return wrong;
    for (const ess::sim::table_field& field : ess::sim::table_fields()) {
      const json_node* table = node.find(field.name);
      if (table == nullptr) continue;
      if (auto wrong = read_table(*table, fmt::format("tables.{}", field.name), field, into.*field.member))
        return wrong;
    }
    return std::nullopt;
  }

  [[nodiscard]] failure read_operations(const json_node& node, hardware& into) const {
    if (auto wrong = must_be_object(node, "operations")) return wrong;
    std::vector<std::string_view> known;
    for (int kind = 0; kind < ess::op_kind_count; ++kind)
      known.push_back(to_string(static_cast<ess::op_kind>(kind)));
    if (auto wrong = check_keys(node, "operations", known, {})) return wrong;
    for (std::size_t kind = 0; kind < known.size(); ++kind) {
      const json_node* table = node.find(known[kind]);
      if (table == nullptr) continue;
      const bool attends = static_cast<ess::op_kind>(kind) == ess::op_kind::attend;
      const ess::sim::table_field field{known[kind], nullptr, "query tokens",
                                        attends ? "rows of each" : "context"};
      if (auto wrong =
              read_table(*table, fmt::format("operations.{}", known[kind]), field, into.operations[kind]))
        return wrong;
    }
    return std::nullopt;
  }

  [[nodiscard]] failure read_table(const json_node& node, const std::string& path,
                                   const ess::sim::table_field& of, ess::sim::cost_table& into) const {
    evidence level{};
    std::string source;
    std::vector<table_row> rows;
    if (auto wrong = must_be_object(node, path)) return wrong;
    if (auto wrong = check_keys(node, path, table_keys, required_table_keys)) return wrong;
    if (auto wrong = read_evidence(node, path, level, source)) return wrong;
    if (auto wrong = read_rows(*node.find("rows"), path + ".rows", of, rows)) return wrong;
    if (const json_node* extension = node.find("extension")) {
      if (auto wrong = read_extension(*extension, path + ".extension", of, source, rows)) return wrong;
    }
    try {
      into = ess::sim::cost_table(curves_of(std::move(rows)), level, std::move(source));
    } catch (const std::invalid_argument& refused) {
      return at(node, path, fmt::format("'{}': {}", path, refused.what()));
    }
    return std::nullopt;
  }

  [[nodiscard]] failure read_extension(const json_node& node, const std::string& path,
                                       const ess::sim::table_field& of, std::string& source,
                                       std::vector<table_row>& rows) const {
    evidence level{};
    std::string how;
    if (auto wrong = must_be_object(node, path)) return wrong;
    if (auto wrong = check_keys(node, path, required_table_keys, required_table_keys)) return wrong;
    if (auto wrong = read_evidence(node, path, level, how)) return wrong;
    source += fmt::format("; extended, {}: {}", to_string(level), how);
    return read_rows(*node.find("rows"), path + ".rows", of, rows);
  }

  [[nodiscard]] failure read_rows(const json_node& node, const std::string& path,
                                  const ess::sim::table_field& of, std::vector<table_row>& into) const {
    if (auto wrong = must_be_list(node, path)) return wrong;
    if (node.items.empty()) return at(node, path, fmt::format("'{}' is an empty list", path));
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      if (auto wrong = read_row(node.items[i], fmt::format("{}[{}]", path, i), of, into.emplace_back()))
        return wrong;
    }
    return std::nullopt;
  }

  [[nodiscard]] failure read_row(const json_node& node, const std::string& path,
                                 const ess::sim::table_field& of, table_row& into) const {
    if (auto wrong = must_be_list(node, path)) return wrong;
    const bool has_x = !of.x.empty();
    if (node.items.size() != (has_x ? 3 : 2)) {
      return at(node, path, fmt::format("'{}' must be [{}{}{}, us]", path, of.x, has_x ? ", " : "", of.y));
    }
    std::size_t next = 0;
    for (double* value : {&into.x, &into.y, &into.us}) {
      if (value == &into.x && !has_x) continue;
      if (auto wrong = number_in(node.items[next], fmt::format("{}[{}]", path, next), above_zero, *value))
        return wrong;
      ++next;
    }
    return std::nullopt;
  }
};

}  // namespace

result<hardware> read_hardware(std::string_view text, std::string_view file) {
  const auto root = parse_json(text, file);
  if (!root) return tl::unexpected(root.error());
  hardware out;
  if (auto wrong = hardware_reader(std::string(file)).read(*root, out)) return tl::unexpected(*wrong);
  return out;
}

}  // namespace workloads
