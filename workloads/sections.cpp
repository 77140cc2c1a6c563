// exclude, overrides, extra_points, expect, published.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "workloads/reading.h"
#include "workloads/suggest.h"

namespace workloads {
namespace {

using nlohmann::json;

class section_reader : private layer_reader {
 public:
  explicit section_reader(document& into) : layer_reader(into.file, into.kind), doc_(into) {}

  [[nodiscard]] failure read(const json_node& root) {
    using read_one = failure (section_reader::*)(const json_node&);
    if (const json_node* node = root.find("overrides")) {
      if (auto wrong = read_overrides(*node)) return wrong;
    }
    const std::array<std::pair<std::string_view, read_one>, 4> lists = {
        {{"exclude", &section_reader::read_exclusion},
         {"extra_points", &section_reader::read_extra},
         {"expect", &section_reader::read_expectation},
         {"published", &section_reader::read_published}}};
    for (const auto& [key, one] : lists) {
      const json_node* node = root.find(key);
      if (node == nullptr) continue;
      if (auto wrong = read_list(*node, key, one)) return wrong;
    }
    return std::nullopt;
  }

  [[nodiscard]] failure read_list(const json_node& node, std::string_view key,
                                  failure (section_reader::*one)(const json_node&)) {
    if (node.type != json_type::array) {
      return at(node, key, fmt::format("'{}' must be a list, not {}", key, describe(node)));
    }
    for (const json_node& item : node.items) {
      if (item.type != json_type::object) {
        return at(item, key, fmt::format("'{}' must list objects, not {}", key, describe(item)));
      }
      if (auto wrong = (this->*one)(item)) return wrong;
    }
    return std::nullopt;
  }

  [[nodiscard]] failure read_overrides(const json_node& node) {
    if (node.type != json_type::object) {
      return at(node, "overrides", "'overrides' must be an object, not " + describe(node));
    }
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const std::string path = "overrides." + node.keys[i];
      const auto system = parse_system(node.keys[i]);
      if (!system) {
        return at(node.items[i], path, fmt::format("unknown system '{}'", node.keys[i]),
                  did_you_mean(node.keys[i], system_names()));
      }
      if (node.items[i].type != json_type::object) {
        return at(node.items[i], path, fmt::format("'{}' must be an object of settings", path));
      }
      if (auto wrong =
              read_layer(node.items[i], "", layer_scope::override_of_system, doc_.overrides[*system])) {
        return wrong;
      }
    }
    return std::nullopt;
  }

  [[nodiscard]] failure read_exclusion(const json_node& node) {
    if (node.keys.empty())
      return at(node, "exclude", "an empty object in 'exclude' would remove every point");
    return read_layer(node, "", layer_scope::exclusion, doc_.exclude.emplace_back());
  }

  [[nodiscard]] failure read_extra(const json_node& node) {
    static constexpr std::array<std::string_view, 2> keys = {"label", "set"};
    if (auto wrong = check_keys(node, "extra_points", keys, keys)) return wrong;
    extra_point& extra = doc_.extra_points.emplace_back(extra_point{.line = node.line});
    if (auto wrong = text(*node.find("label"), "extra_points.label", extra.label)) return wrong;
    const auto twins = std::ranges::count(doc_.extra_points, extra.label, &extra_point::label);
    if (twins > 1)
      return at(node, "extra_points.label", fmt::format("two extra points are called '{}'", extra.label));
    const json_node& set = *node.find("set");
    if (set.type != json_type::object)
      return at(set, "extra_points.set", "'set' must be an object of settings");
    return read_layer(set, "", layer_scope::extra, extra.set);
  }

  [[nodiscard]] failure read_selector(const json_node& node, std::string_view section,
                                      point_selector& into) const {
    const json_node* system = node.find("system");
    const json_node* label = node.find("label");
    if ((system == nullptr) == (label == nullptr)) {
      return at(node, section, fmt::format("'{}' needs either a 'system' or a 'label'", section));
    }
    if (label != nullptr) {
      if (auto wrong = text(*label, "label", into.label)) return wrong;
      return check_label(*label, into);
    }
    std::string word;
    if (auto wrong = text(*system, "system", word)) return wrong;
    into.system = parse_system(word);
    if (into.system) return std::nullopt;
    return at(*system, "system", fmt::format("unknown system '{}'", word),
              did_you_mean(word, system_names()));
  }

  [[nodiscard]] failure read_batch(const json_node& node, point_selector& into) const {
    const json_node* batch = node.find("batch");
    if (batch == nullptr) return std::nullopt;
    double count = 0.0;
    if (auto wrong = number(*batch, "batch", count)) return wrong;
    json value = batch->scalar;
    if (auto wrong = normalise(*find_field("batch"), value))
      return at(*batch, "batch", "'batch' " + wrong->what);
    into.batch = value.get<int>();
    return std::nullopt;
  }

  [[nodiscard]] failure read_expectation(const json_node& node) {
    static constexpr std::array<std::string_view, 6> known = {"system", "label", "batch",
                                                              "metric", "min",   "max"};
    static constexpr std::array<std::string_view, 1> required = {"metric"};
    if (auto wrong = check_keys(node, "expect", known, required)) return wrong;
    expectation& expected = doc_.expectations.emplace_back();
    if (auto wrong = read_selector(node, "expect", expected.of)) return wrong;
    if (auto wrong = read_batch(node, expected.of)) return wrong;
    if (auto wrong = text(*node.find("metric"), "metric", expected.metric)) return wrong;
    for (auto [key, bound] : {std::pair{"min", &expected.min}, std::pair{"max", &expected.max}}) {
      const json_node* limit = node.find(key);
      if (limit == nullptr) continue;
      if (auto wrong = number(*limit, key, bound->emplace())) return wrong;
    }
    if (!expected.min && !expected.max) return at(node, "expect", "'expect' needs 'min', 'max' or both");
    if (expected.min && expected.max && *expected.min > *expected.max) {
      return at(node, "expect", fmt::format("'min' {} is above 'max' {}", *expected.min, *expected.max));
    }
    return std::nullopt;
  }

  [[nodiscard]] failure read_published(const json_node& node) {
    static constexpr std::array<std::string_view, 8> known = {"system", "label", "batch",  "metric",
                                                              "value",  "unit",  "source", "calibrates"};
    static constexpr std::array<std::string_view, 4> required = {"metric", "value", "unit", "source"};
    if (auto wrong = check_keys(node, "published", known, required)) return wrong;
    published_value& said = doc_.published.emplace_back();
    if (auto wrong = read_selector(node, "published", said.of)) return wrong;
    if (auto wrong = read_batch(node, said.of)) return wrong;
    if (auto wrong = text(*node.find("metric"), "metric", said.metric)) return wrong;
    if (auto wrong = number(*node.find("value"), "value", said.value)) return wrong;
    if (auto wrong = text(*node.find("unit"), "unit", said.unit)) return wrong;
    if (auto wrong = text(*node.find("source"), "source", said.source)) return wrong;
    const json_node* calibrates = node.find("calibrates");
    return calibrates == nullptr ? std::nullopt : text(*calibrates, "calibrates", said.calibrates);
  }

  // What is said about an extra point must name one.
  [[nodiscard]] failure check_label(const json_node& node, const point_selector& of) const {
    std::vector<std::string_view> labels;
    for (const extra_point& extra : doc_.extra_points) labels.push_back(extra.label);
    if (of.label.empty() || contains(labels, of.label)) return std::nullopt;
    return at(node, "label", fmt::format("there is no extra point '{}'", of.label),
              did_you_mean(of.label, labels));
  }

  document& doc_;
};

}  // namespace

failure read_sections(const json_node& root, document& into) { return section_reader(into).read(root); }

}  // namespace workloads
