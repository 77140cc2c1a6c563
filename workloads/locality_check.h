// A trace against the published figures of a locality model.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "workloads/locality_model.h"

namespace workloads {

// What is measured of a trace that holds layers first_layer .. first_layer + layers - 1 of the model.
struct measured_locality {
  std::int32_t first_layer = 0;
  std::int32_t layers = 0;
  double context_tokens = 0.0;
  std::function<double(std::int32_t layer)> overlap;  // of a layer of the trace, per query token
  std::function<double(std::int32_t layer, double sparse_ratio)> misses;  // per decode step, LRU
};

struct figure_comparison {
  const locality_figure* figure = nullptr;
  std::vector<double> measured;  // [layers of the trace]
  std::vector<std::optional<double>>
      published;               // [layers of the trace], or empty where only the mean is known
  double measured_mean = 0.0;  // over the layers that were published
  double published_mean = 0.0;

  // Misses: relative; overlap: a difference.
  [[nodiscard]] double deviation(double of, double from) const;
  [[nodiscard]] double mean_deviation() const { return deviation(measured_mean, published_mean); }
  [[nodiscard]] int layers_published() const;
  [[nodiscard]] int layers_within() const;  // figure_tolerance, by layer
};

struct figure_tolerance {
  double mean_misses = 0.08;
  double layer_misses = 0.15;
  double overlap = 0.03;               // mean and layer
  double share_of_layers = 50.0 / 61;  // that must be within, those that cannot be read left out
};
inline constexpr figure_tolerance tolerance;

// The model's figures of contexts within 5 % of the trace's, in the model's order. A mean of all layers is
// left out where the trace does not hold all of them.
[[nodiscard]] std::vector<figure_comparison> compare_figures(const locality_model& model,
                                                             const measured_locality& measured);

// Whether a figure is met: its mean, and the share of its layers.
[[nodiscard]] bool agrees(const figure_comparison& c);

}  // namespace workloads
