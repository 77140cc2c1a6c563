#include "workloads/locality_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "ess_core/base/digest.h"
#include "ess_core/locality/locality_fit.h"
#include "workloads/catalog.h"
#include "workloads/locality_reading.h"
#include "workloads/spec.h"
#include "workloads/suggest.h"

namespace workloads {
namespace {

using failure = std::optional<spec_error>;

// ---- what --set may change ----

constexpr std::array<std::string_view, 7> settable = {"overlap",     "misses",       "sinks",       "recent",
                                                      "burst_every", "burst_length", "burst_factor"};

spec_error wrong_option(std::string_view option, std::string what, std::string hint = {}) {
  const std::string_view path = option.substr(0, option.find('='));
  return {.path = std::string(path),
          .what = std::move(what),
          .hint = std::move(hint),
          .file = fmt::format("--set {}", option)};
}

void scale_misses(double factor, locality_model& model) {
  for (locality_figure& figure : model.figures) {
    if (figure.is_overlap() || figure.use != figure_use::fit) continue;
    for (auto& misses : figure.by_layer) {
      if (misses) *misses *= factor;
    }
  }
}

void set_overlap(double overlap, locality_model& model) {
  for (locality_figure& figure : model.figures) {
    if (figure.is_overlap() && figure.use == figure_use::fit) std::ranges::fill(figure.by_layer, overlap);
  }
}

failure set_whole(std::string_view option, double value, std::int32_t& to) {
  if (value != std::floor(value) || value < 0 || value > 1'000'000) {
    return wrong_option(option, fmt::format("{} is no whole number in [0, 1000000]", value));
  }
  to = static_cast<std::int32_t>(value);
  return std::nullopt;
}

failure set_value(std::string_view option, std::string_view key, double value, locality_model& model) {
  ess::stream_locality& stream = model.stream;
  if (key == "sinks") return set_whole(option, value, stream.sinks);
  if (key == "recent") return set_whole(option, value, stream.recent);
  if (key == "burst_every") return set_whole(option, value, stream.burst_every);
  if (key == "burst_length") return set_whole(option, value, stream.burst_length);
  if (key == "burst_factor") {
    stream.burst_factor = value;
  } else if (key == "overlap") {
    if (!(value >= 0 && value <= 1)) return wrong_option(option, fmt::format("{} is not in [0, 1]", value));
    set_overlap(value, model);
  } else {
    if (!(value > 0 && value <= 1000))
      return wrong_option(option, fmt::format("{} is not in (0, 1000]", value));
    scale_misses(value, model);
  }
  return std::nullopt;
}

failure apply_option(std::string_view option, locality_model& model) {
  const auto equals = option.find('=');
  if (equals == option.npos) return wrong_option(option, "is not of the form name=value");
  const std::string_view key = option.substr(0, equals);
  const std::string_view word = option.substr(equals + 1);
  if (std::ranges::find(settable, key) == settable.end()) {
    std::string hint = did_you_mean(key, settable);
    if (hint.empty()) hint = fmt::format("there are: {}", fmt::join(settable, ", "));
    return wrong_option(option, fmt::format("unknown name '{}'", key), std::move(hint));
  }
  double value = 0.0;
  const auto [stop, code] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (code != std::errc() || stop != word.data() + word.size() || !std::isfinite(value)) {
    return wrong_option(option, fmt::format("'{}' is not a number", word));
  }
  return set_value(option, key, value, model);
}

// ---- the fit ----

spec_error wrong_file(std::string_view file, std::string path, std::string what, std::string hint = {}) {
  return {
      .path = std::move(path), .what = std::move(what), .hint = std::move(hint), .file = std::string(file)};
}

// Rows that a layer's selections hold before any depth counts: see ess::miss_figure.
double held_rows(const locality_model& model, std::size_t layer) {
  return (model.position_relative[layer] ? 2.0 : 1.0) * model.top_k;
}

bool readable(const std::optional<double>& point) { return point.has_value(); }

failure check_fitted(const locality_model& model, std::string_view file) {
  const locality_figure* overlap = nullptr;
  for (std::size_t i = 0; i < model.figures.size(); ++i) {
    const locality_figure& figure = model.figures[i];
    if (figure.use != figure_use::fit) continue;
    const std::string path = fmt::format("figures[{}]", i);
    if (figure.context_tokens != model.context_tokens) {
      return wrong_file(file, path,
                        fmt::format("'{}' is of {} tokens, but the first figure to fit of {}", path,
                                    figure.context_tokens, model.context_tokens),
                        "all figures to fit must be of one context");
    }
    if (figure.by_layer.empty())
      return wrong_file(file, path, fmt::format("'{}' is a mean, which cannot be fitted", path));
    if (figure.is_overlap()) {
      if (std::exchange(overlap, &figure) != nullptr)
        return wrong_file(file, path, fmt::format("'{}' is the second similarity to fit", path));
      if (!std::ranges::all_of(figure.by_layer, readable))
        return wrong_file(file, path, fmt::format("'{}' must have a similarity for every layer", path));
    }
  }
  return overlap != nullptr
             ? std::nullopt
             : failure(wrong_file(file, "figures", "'figures' has no similarity with \"use\": \"fit\""));
}

std::vector<ess::layer_figures> figures_to_fit(const locality_model& model) {
  std::vector<ess::layer_figures> out(model.position_relative.size());
  for (std::size_t layer = 0; layer < out.size(); ++layer) {
    out[layer].position_relative = model.position_relative[layer];
    for (const locality_figure& figure : model.figures) {
      if (figure.use != figure_use::fit || !figure.by_layer[layer]) continue;
      if (figure.is_overlap()) {
        out[layer].overlap = *figure.by_layer[layer];
      } else if (*figure.sparse_ratio * figure.context_tokens > held_rows(model, layer)) {
        out[layer].misses.push_back({*figure.sparse_ratio * figure.context_tokens, *figure.by_layer[layer]});
      }
    }
  }
  return out;
}

result<locality_model> finish(locality_model model, std::string_view file, std::span<const std::string> set) {
  for (const locality_figure& figure : model.figures) {
    if (figure.use == figure_use::fit && model.context_tokens == 0)
      model.context_tokens = figure.context_tokens;
  }
  if (auto wrong = check_fitted(model, file)) return tl::unexpected(*wrong);
  for (const std::string& option : set) {
    if (auto wrong = apply_option(option, model)) return tl::unexpected(*wrong);
  }
  const std::string blamed =
      set.empty() ? std::string(file) : fmt::format("--set {}", fmt::join(set, " --set "));
  const auto refuse = [&](const ess::trace_error& error) {
    return tl::unexpected(wrong_file(blamed, "", error.what, error.hint));
  };
  auto layers =
      ess::fit_locality(figures_to_fit(model), {model.top_k, model.context_tokens, model.query_tokens});
  if (!layers) return refuse(layers.error());
  model.layers = *std::move(layers);
  for (const ess::layer_locality& layer : model.layers) {
    if (auto fine = ess::check_locality(layer, model.stream, model.top_k); !fine) return refuse(fine.error());
  }
  return model;
}

std::vector<std::filesystem::path> locality_folders() {
  auto folders = catalog_folders();
  for (auto& folder : folders) folder /= "locality";
  return folders;
}

}  // namespace

result<locality_model> parse_locality(std::string_view text, std::string_view file,
                                      std::span<const std::string> set) {
  auto model = read_locality(text, file);
  if (!model) return model;
  model->sha256 = ess::sha256_hex(text);
  return finish(*std::move(model), file, set);
}

result<locality_model> load_locality(const std::filesystem::path& file, std::span<const std::string> set) {
  const auto text = read_text(file);
  if (!text) return tl::unexpected(text.error());
  return parse_locality(*text, file.string(), set);
}

result<std::filesystem::path> find_locality(std::string_view name_or_path) {
  return find_workload(name_or_path, locality_folders()).map_error([](spec_error error) {
    error.what = "no locality model of this name, and no such file";
    return error;
  });
}

}  // namespace workloads
