// essbench trace curve --split
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "ess_core/locality/pool_replay.h"
#include "ess_core/locality/pool_split.h"
#include "harness/command_line/trace_curve.h"

namespace harness {
namespace {

struct layer_split {
  std::int64_t rows = 0;
  double misses = 0.0;  // per decode step
  double misses_uniform = 0.0;
  double weight = 0.0;
};

// Mean 1.
std::vector<layer_split> with_weights(std::vector<layer_split> layers) {
  double rows = 0.0;
  for (const layer_split& layer : layers) rows += static_cast<double>(layer.rows);
  for (layer_split& layer : layers) {
    layer.weight = static_cast<double>(layer.rows) * static_cast<double>(layers.size()) / rows;
  }
  return layers;
}

// As the setting pool_weights takes them.
std::string weights_of(const std::vector<layer_split>& layers) {
  std::vector<std::string> out;
  for (const layer_split& layer : layers) out.push_back(fmt::format("{:.4g}", layer.weight));
  return fmt::format("{}", fmt::join(out, " "));
}

double mean(const std::vector<layer_split>& layers, double layer_split::*what) {
  double sum = 0.0;
  for (const layer_split& layer : layers) sum += layer.*what;
  return sum / static_cast<double>(layers.size());
}

std::vector<layer_split> split(const ess::index_trace& trace, std::int64_t uniform,
                               const ess::replay_options& replay) {
  std::vector<ess::miss_curve> curves;
  for (std::int32_t layer = 0; layer < trace.shape.layers; ++layer) {
    curves.push_back(ess::lru_miss_curve(trace, layer, replay));
  }
  const auto rows = ess::split_pool(curves, uniform * trace.shape.layers);
  if (!rows) {
    std::int64_t least = 0;
    for (const ess::miss_curve& curve : curves) least += curve.smallest_pool;
    refuse(exit_code::usage, fmt::format("--split: {} rows in all, but the layers' largest steps need {}",
                                         uniform * trace.shape.layers, least));
  }
  std::vector<layer_split> out;
  for (std::int32_t layer = 0; layer < trace.shape.layers; ++layer) {
    const ess::miss_curve& curve = curves[static_cast<std::size_t>(layer)];
    const std::int64_t of_layer = (*rows)[static_cast<std::size_t>(layer)];
    const auto at_uniform = ess::lru_misses(curve, trace, layer, uniform, replay);
    if (!at_uniform) refuse(exit_code::usage, fmt::format("--split: {} rows a layer are no pool", uniform));
    out.push_back({of_layer, static_cast<double>(curve.misses(of_layer)) / curve.steps,
                   static_cast<double>(*at_uniform) / curve.steps});
  }
  return with_weights(std::move(out));
}

void print_json(const std::vector<layer_split>& layers, double ratio, std::int64_t uniform) {
  using nlohmann::ordered_json;
  ordered_json out = {{"sparse_ratio", ratio},
                      {"pool_rows", uniform},
                      {"misses_uniform", mean(layers, &layer_split::misses_uniform)},
                      {"misses_split", mean(layers, &layer_split::misses)},
                      {"pool_weights", weights_of(layers)},
                      {"layers", ordered_json::array()}};
  for (const layer_split& layer : layers) {
    out["layers"].push_back({{"pool_rows", layer.rows},
                             {"weight", layer.weight},
                             {"misses_uniform", layer.misses_uniform},
                             {"misses_split", layer.misses}});
  }
  print(out.dump(2) + "\n");
}

void print_text(const std::vector<layer_split>& layers, std::int64_t uniform) {
  print(fmt::format("{:<6}{:>10}{:>10}{:>10}{:>10}\n", "layer", "rows", "weight", "uniform", "split"));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const layer_split& layer = layers[i];
    print(fmt::format("{:<6}{:>10}{:>10.4g}{:>10.1f}{:>10.1f}\n", i, layer.rows, layer.weight,
                      layer.misses_uniform, layer.misses));
  }
  const double before = mean(layers, &layer_split::misses_uniform);
  const double after = mean(layers, &layer_split::misses);
  print(fmt::format("{:<6}{:>10}{:>10}{:>10.1f}{:>10.1f}  {:+.1f} %\n", "mean", uniform, "1", before, after,
                    100 * (after / before - 1)));
  print("pool_weights " + weights_of(layers) + "\n");
  tell(
      "Misses per decode step of LRU pools, predicted from this trace. The weights are a workload's setting "
      "pool_weights.");
}

}  // namespace

exit_code split_rows(const loaded_trace& loaded, const curve_arguments& arguments) {
  const std::int64_t uniform = rows_of(*arguments.split_ratio, loaded.trace.shape);
  const auto layers = split(loaded.trace, uniform, replay_of(loaded, arguments));
  if (arguments.form() == curve_form::json) {
    print_json(layers, *arguments.split_ratio, uniform);
  } else {
    print_text(layers, uniform);
  }
  return exit_code::ok;
}

}  // namespace harness
