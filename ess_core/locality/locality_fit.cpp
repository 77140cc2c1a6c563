#include "ess_core/locality/locality_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace ess {
namespace {

// Misses of a decode step in a pool of C rows are the sum over its query tokens of the entrants E(C) from
// deeper than C, where for each further query token the pool counts as larger by the entrants before: they
// came up and pushed everything down that lies above. With n neighbours and s scattered rows,
//   E(C) = n share_deeper(gap(C)) + s (1 - C / context) / (1 - top_k / context),
// so for a given steepness the sum is linear in s: n = drawn - s.
struct depth_point {
  double gap = 0.0;
  double scattered_deeper = 0.0;  // share of scattered rows
};

struct observation {
  double misses = 0.0;
  std::vector<depth_point> at;  // [query tokens]
};

std::vector<observation> observations_of(const layer_figures& figures, const figure_setting& setting) {
  std::vector<observation> out;
  const double held = figures.position_relative ? 2.0 * setting.top_k : setting.top_k;
  for (const miss_figure& figure : figures.misses) {
    observation& o = out.emplace_back(observation{.misses = figure.misses});
    for (std::int32_t query = 0; query < setting.query_tokens; ++query) {
      const double depth = std::min(figure.pool_rows + query * figure.misses / setting.query_tokens,
                                    setting.context_tokens * (1 - 1e-9));
      o.at.push_back({gap_to_cut(depth, setting.top_k, setting.context_tokens),
                      (setting.context_tokens - depth) / (setting.context_tokens - held)});
    }
  }
  return out;
}

struct fit {
  double scattered_rows = 0.0;
  double error = 0.0;  // sum of squared relative errors
};

fit best_scattered(std::span<const observation> observations, double drawn, double steepness) {
  // misses = base + s slope; least squares of (base + s slope) / misses - 1.
  double slopes = 0.0;
  double wanted = 0.0;
  std::vector<std::pair<double, double>> lines;
  for (const observation& o : observations) {
    double base = 0.0;
    double slope = 0.0;
    for (const depth_point& p : o.at) {
      const double near = share_deeper(p.gap, steepness);
      base += drawn * near / o.misses;
      slope += (p.scattered_deeper - near) / o.misses;
    }
    slopes += slope * slope;
    wanted += slope * (1 - base);
    lines.emplace_back(base, slope);
  }
  fit out{.scattered_rows = std::clamp(slopes > 0 ? wanted / slopes : 0.0, 0.0, drawn)};
  for (const auto& [base, slope] : lines) {
    const double off = base + out.scattered_rows * slope - 1;
    out.error += off * off;
  }
  return out;
}

constexpr double without_neighbours = 1e6;  // as a steepness

layer_locality fitted(const layer_figures& figures, const figure_setting& setting,
                      std::span<const double> candidates) {
  layer_locality out{.overlap = figures.overlap, .position_relative = figures.position_relative};
  const double drawn = entrants_per_query(figures.overlap, setting.top_k);
  const auto observations = observations_of(figures, setting);
  double least = std::numeric_limits<double>::infinity();
  for (const double steepness : candidates) {
    const fit found = best_scattered(observations, drawn, steepness);
    if (found.error >= least) continue;
    least = found.error;
    out.steepness = steepness;
    out.scattered = found.scattered_rows / setting.top_k;
  }
  return out;
}

std::vector<double> steepness_grid() {
  std::vector<double> out;
  for (int i = 1; i <= 1024; ++i) out.push_back(i / 64.0);
  return out;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

// Figures that a layer's own parameters need.
std::size_t enough(const layer_figures& figures) { return figures.position_relative ? 1 : 2; }

}  // namespace

trace_result<std::vector<layer_locality>> fit_locality(std::span<const layer_figures> figures,
                                                       const figure_setting& setting) {
  const std::vector<double> grid = steepness_grid();
  std::vector<layer_locality> out(figures.size());
  std::vector<double> steepness;
  std::vector<double> scattered;
  for (std::size_t i = 0; i < figures.size(); ++i) {
    if (figures[i].misses.size() < enough(figures[i])) continue;
    const double only[] = {without_neighbours};
    out[i] = fitted(figures[i], setting, figures[i].position_relative ? only : std::span(grid));
    if (!figures[i].position_relative) steepness.push_back(out[i].steepness);
    scattered.push_back(out[i].scattered);
  }
  for (std::size_t i = 0; i < figures.size(); ++i) {
    if (figures[i].misses.size() >= enough(figures[i])) continue;
    if (steepness.empty()) {
      return tl::unexpected(
          trace_error{fmt::format("layer {} has too few figures of misses, and no other has enough", i),
                      "give misses at two pool sizes or more"});
    }
    const double usual[] = {median(steepness)};
    out[i] = fitted(figures[i], setting, usual);
    if (figures[i].misses.empty()) out[i].scattered = median(scattered);
  }
  return out;
}

}  // namespace ess
