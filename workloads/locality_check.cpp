#include "workloads/locality_check.h"

#include <algorithm>
#include <cmath>

namespace workloads {
namespace {

constexpr double same_context = 0.05;

figure_comparison compare(const locality_figure& figure, const measured_locality& measured) {
  figure_comparison out{.figure = &figure};
  for (std::int32_t layer = 0; layer < measured.layers; ++layer) {
    out.measured.push_back(figure.is_overlap() ? measured.overlap(layer)
                                               : measured.misses(layer, *figure.sparse_ratio));
    if (figure.by_layer.empty()) continue;
    out.published.push_back(figure.by_layer[static_cast<std::size_t>(measured.first_layer + layer)]);
  }
  double layers = 0.0;
  for (std::size_t i = 0; i < out.measured.size(); ++i) {
    if (!out.published.empty() && !out.published[i]) continue;
    ++layers;
    out.measured_mean += out.measured[i];
    out.published_mean += figure.mean ? *figure.mean : *out.published[i];
  }
  out.measured_mean /= layers;
  out.published_mean /= layers;
  return out;
}

bool applies(const locality_figure& figure, const locality_model& model, const measured_locality& measured) {
  if (std::abs(measured.context_tokens / figure.context_tokens - 1) > same_context) return false;
  if (figure.mean) return measured.layers == static_cast<std::int32_t>(model.layers.size());
  const auto first = figure.by_layer.begin() + measured.first_layer;
  return std::any_of(first, first + measured.layers, [](const auto& value) { return value.has_value(); });
}

}  // namespace

double figure_comparison::deviation(double of, double from) const {
  return figure->is_overlap() ? of - from : of / from - 1;
}

int figure_comparison::layers_published() const {
  return static_cast<int>(
      std::ranges::count_if(published, [](const auto& value) { return value.has_value(); }));
}

int figure_comparison::layers_within() const {
  const double most = figure->is_overlap() ? tolerance.overlap : tolerance.layer_misses;
  int within = 0;
  for (std::size_t i = 0; i < published.size(); ++i) {
    within += published[i] && std::abs(deviation(measured[i], *published[i])) <= most ? 1 : 0;
  }
  return within;
}

std::vector<figure_comparison> compare_figures(const locality_model& model,
                                               const measured_locality& measured) {
  std::vector<figure_comparison> out;
  for (const locality_figure& figure : model.figures) {
    if (applies(figure, model, measured)) out.push_back(compare(figure, measured));
  }
  return out;
}

bool agrees(const figure_comparison& c) {
  const double most = c.figure->is_overlap() ? tolerance.overlap : tolerance.mean_misses;
  return std::abs(c.mean_deviation()) <= most &&
         c.layers_within() >= tolerance.share_of_layers * c.layers_published();
}

}  // namespace workloads
