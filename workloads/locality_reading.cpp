#include "workloads/locality_reading.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "workloads/reading.h"

namespace workloads {
namespace {

constexpr std::array<std::string_view, 13> model_keys = {"name",
                                                         "description",
                                                         "source",
                                                         "layers",
                                                         "top_k",
                                                         "query_tokens",
                                                         "position_relative_layers",
                                                         "sinks",
                                                         "recent",
                                                         "burst_every",
                                                         "burst_length",
                                                         "burst_factor",
                                                         "figures"};
constexpr std::array<std::string_view, 6> required_keys = {"name",  "source",       "layers",
                                                           "top_k", "query_tokens", "figures"};
constexpr std::array<std::string_view, 6> figure_keys = {"use",          "context_tokens", "similarity",
                                                         "sparse_ratio", "misses",         "mean_misses"};
constexpr std::array<std::string_view, 2> required_figure_keys = {"use", "context_tokens"};

constexpr value_range count = {1, 1'000'000};
constexpr value_range tokens = {1, 2e9};
constexpr value_range share = {0, 1};
constexpr value_range above_zero = {1e-6, 1e9};

class locality_reader : public value_reader {
 public:
  using value_reader::value_reader;

  [[nodiscard]] failure read(const json_node& root, locality_model& into) const {
    if (root.type != json_type::object) return at(root, "", "a locality model must be an object");
    if (auto wrong = check_keys(root, "", model_keys, required_keys)) return wrong;
    if (auto wrong = read_heading(root, into)) return wrong;
    if (auto wrong = read_stream(root, into.stream)) return wrong;
    if (auto wrong = read_position_relative(root, into)) return wrong;
    const json_node& figures = *root.find("figures");
    if (auto wrong = must_be_list(figures, "figures")) return wrong;
    for (std::size_t i = 0; i < figures.items.size(); ++i) {
      locality_figure& figure = into.figures.emplace_back();
      if (auto wrong = read_figure(figures.items[i], fmt::format("figures[{}]", i), into, figure))
        return wrong;
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] failure read_heading(const json_node& root, locality_model& into) const {
    if (auto wrong = text(*root.find("name"), "name", into.name)) return wrong;
    if (auto wrong = text(*root.find("source"), "source", into.source)) return wrong;
    if (const json_node* node = root.find("description")) {
      if (auto wrong = text(*node, "description", into.description)) return wrong;
    }
    std::int32_t layers = 0;
    if (auto wrong = whole(*root.find("layers"), "layers", {1, 100'000}, layers)) return wrong;
    into.position_relative.resize(static_cast<std::size_t>(layers));
    if (auto wrong = whole(*root.find("top_k"), "top_k", count, into.top_k)) return wrong;
    return whole(*root.find("query_tokens"), "query_tokens", {1, 16}, into.query_tokens);
  }

  // Whether the numbers go together is for ess::check_locality to say.
  [[nodiscard]] failure read_stream(const json_node& root, ess::stream_locality& into) const {
    const std::pair<std::string_view, std::int32_t*> numbers[] = {{"sinks", &into.sinks},
                                                                  {"recent", &into.recent},
                                                                  {"burst_every", &into.burst_every},
                                                                  {"burst_length", &into.burst_length}};
    for (const auto& [key, to] : numbers) {
      const json_node* node = root.find(key);
      if (node == nullptr) continue;
      if (auto wrong = whole(*node, key, {0, 1'000'000}, *to)) return wrong;
    }
    const json_node* factor = root.find("burst_factor");
    return factor == nullptr ? std::nullopt
                             : number_in(*factor, "burst_factor", {1, 1'000'000}, into.burst_factor);
  }

  [[nodiscard]] failure read_position_relative(const json_node& root, locality_model& into) const {
    const json_node* list = root.find("position_relative_layers");
    if (list == nullptr) return std::nullopt;
    if (auto wrong = must_be_list(*list, "position_relative_layers")) return wrong;
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      std::int32_t layer = 0;
      const value_range layers = {0, static_cast<double>(into.position_relative.size()) - 1};
      if (auto wrong = whole(list->items[i], fmt::format("position_relative_layers[{}]", i), layers, layer))
        return wrong;
      into.position_relative[static_cast<std::size_t>(layer)] = true;
    }
    return std::nullopt;
  }

  [[nodiscard]] failure read_figure(const json_node& node, const std::string& path, const locality_model& of,
                                    locality_figure& into) const {
    if (auto wrong = must_be_object(node, path)) return wrong;
    if (auto wrong = check_keys(node, path, figure_keys, required_figure_keys)) return wrong;
    if (auto wrong = read_use(*node.find("use"), path + ".use", into.use)) return wrong;
    if (auto wrong =
            number_in(*node.find("context_tokens"), path + ".context_tokens", tokens, into.context_tokens))
      return wrong;
    if (const json_node* ratio = node.find("sparse_ratio")) {
      if (auto wrong = number_in(*ratio, path + ".sparse_ratio", share, into.sparse_ratio.emplace()))
        return wrong;
    }
    return read_values(node, path, of.position_relative.size(), into);
  }

  [[nodiscard]] failure read_use(const json_node& node, const std::string& path, figure_use& into) const {
    std::string word;
    if (auto wrong = text(node, path, word)) return wrong;
    if (word != "fit" && word != "check")
      return at(node, path, fmt::format("'{}' is \"{}\", but must be \"fit\" or \"check\"", path, word));
    into = word == "fit" ? figure_use::fit : figure_use::check;
    return std::nullopt;
  }

  [[nodiscard]] failure read_values(const json_node& node, const std::string& path, std::size_t layers,
                                    locality_figure& into) const {
    const json_node* similarity = node.find("similarity");
    const json_node* misses = node.find("misses");
    const json_node* mean = node.find("mean_misses");
    const int given =
        (similarity != nullptr ? 1 : 0) + (misses != nullptr ? 1 : 0) + (mean != nullptr ? 1 : 0);
    if (given != 1)
      return at(node, path, fmt::format("'{}' must have one of similarity, misses, mean_misses", path));
    if ((similarity == nullptr) != into.sparse_ratio.has_value()) {
      return at(node, path, fmt::format("'{}' must have a sparse_ratio exactly if it is of misses", path));
    }
    if (similarity != nullptr)
      return read_by_layer(*similarity, path + ".similarity", share, layers, into.by_layer);
    if (misses != nullptr) return read_by_layer(*misses, path + ".misses", above_zero, layers, into.by_layer);
    return number_in(*mean, path + ".mean_misses", above_zero, into.mean.emplace());
  }

  [[nodiscard]] failure read_by_layer(const json_node& node, const std::string& path, value_range allowed,
                                      std::size_t layers, std::vector<std::optional<double>>& out) const {
    if (auto wrong = must_be_list(node, path)) return wrong;
    if (node.items.size() != layers) {
      return at(node, path,
                fmt::format("'{}' has {} values, but there are {} layers", path, node.items.size(), layers));
    }
    for (std::size_t i = 0; i < layers; ++i) {
      std::optional<double>& value = out.emplace_back();
      const json_node& item = node.items[i];
      if (item.type == json_type::scalar && item.scalar.is_null()) continue;
      if (auto wrong = number_in(item, fmt::format("{}[{}]", path, i), allowed, value.emplace()))
        return wrong;
    }
    return std::nullopt;
  }
};

}  // namespace

result<locality_model> read_locality(std::string_view text, std::string_view file) {
  const auto root = parse_json(text, file);
  if (!root) return tl::unexpected(root.error());
  locality_model model;
  if (auto wrong = locality_reader(std::string(file)).read(*root, model)) return tl::unexpected(*wrong);
  return model;
}

}  // namespace workloads
