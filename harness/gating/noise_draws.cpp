#include "harness/gating/noise_draws.h"

#include <algorithm>
#include <span>
#include <stdexcept>

#include "ess_core/base/random.h"
#include "results/judging/block_statistics.h"

namespace harness {
namespace {

constexpr std::size_t stretches_a_run = 40;

// The median that a run would have stored which began at step `first`: as many steps as the stopping rule
// takes, its clock running with them.
double median_from(const std::vector<double>& steps, std::size_t first, const stopping_options& options) {
  ess::microseconds passed{0};
  stopping_rule rule(options,
                     {.now = [&] { return ess::seconds(passed); }, .cancelled = [] { return false; }});
  for (std::size_t i = 0; !rule.stop(); ++i) {
    const ess::microseconds step(steps[(first + i) % steps.size()]);
    passed += step;
    rule.add(step);
  }
  return results::median(rule.samples());
}

std::vector<double> medians_of(const std::vector<double>& steps, const stopping_options& options) {
  std::vector<double> made;
  for (std::size_t i = 0; i < stretches_a_run; ++i)
    made.push_back(median_from(steps, i * steps.size() / stretches_a_run, options));
  return made;
}

double distance(double ratio) { return std::max(ratio, 1 / ratio) - 1; }

// Of each point.
std::vector<double> floors_in(const noise_draws& draws, std::size_t blocks, std::size_t count,
                              draw_order order) {
  std::vector<std::vector<double>> distances(draws.recording().points.size());
  for (std::uint64_t number = 0; number < count; ++number) {
    const auto drawn = draws.draw(number, blocks, order);
    for (std::size_t point = 0; point < drawn.size(); ++point) {
      const auto ratios = results::block_ratios(drawn[point].before, drawn[point].after);
      distances[point].push_back(distance(results::median(ratios)));
    }
  }
  std::vector<double> floors;
  for (const auto& of_point : distances) floors.push_back(results::quantile(of_point, 0.999));
  return floors;
}

}  // namespace

noise_draws::noise_draws(const noise_recording& of, recorded_range runs, std::uint64_t seed)
    : of_(of), runs_(runs), seed_(seed) {
  if (runs.end < runs.first + 4) throw std::invalid_argument("noise of fewer than four runs");
  for (const recorded_point& point : of.points) {
    auto& by_run = medians_.emplace_back();
    for (std::size_t run = runs.first; run < runs.end; ++run)
      by_run.push_back(medians_of(point.runs[run], point.stopping));
  }
}

std::vector<std::pair<noise_draws::place, noise_draws::place>> noise_draws::places(std::uint64_t number,
                                                                                   std::size_t blocks,
                                                                                   draw_order order) const {
  const std::size_t runs = runs_.end - runs_.first;
  const ess::counter_rng which(seed_, ess::purpose::noise_draws, 0);
  const std::uint64_t counter = number * (4 * blocks + 2);
  const auto stretch = [&](std::size_t i) { return which.below(stretches_a_run, counter + i); };
  const std::size_t start = which.below(runs, counter + 4 * blocks);
  // The other arm's runs begin anywhere but where this one's do.
  const std::size_t apart = 1 + which.below(runs - 1, counter + 4 * blocks + 1);
  std::vector<std::pair<place, place>> made;
  for (std::size_t block = 0; block < blocks; ++block) {
    std::size_t a = (start + block) % runs, b = (start + apart + block) % runs;
    if (order == draw_order::interleaved) {
      a = which.below(runs - 1, counter + 2 * blocks + 2 * block);
      b = a + 1;
      if (which.below(2, counter + 2 * blocks + 2 * block + 1) == 1) std::swap(a, b);
    }
    made.push_back({{a, stretch(2 * block)}, {b, stretch(2 * block + 1)}});
  }
  return made;
}

std::vector<drawn_point> noise_draws::draw(std::uint64_t number, std::size_t blocks, draw_order order) const {
  std::vector<drawn_point> made(medians_.size());
  for (const auto& [a, b] : places(number, blocks, order)) {
    for (std::size_t point = 0; point < medians_.size(); ++point) {
      made[point].before.push_back(medians_[point][a.run][a.stretch]);
      made[point].after.push_back(medians_[point][b.run][b.stretch]);
    }
  }
  return made;
}

results::noise_floors floors_of(const noise_recording& of, recorded_range runs, std::size_t blocks,
                                std::size_t draws, std::uint64_t seed) {
  const noise_draws from(of, runs, seed);
  const auto interleaved = floors_in(from, blocks, draws, draw_order::interleaved);
  const auto sequential = floors_in(from, blocks, draws, draw_order::sequential);
  results::noise_floors floors;
  for (std::size_t point = 0; point < of.points.size(); ++point) {
    floors[{of.points[point].label, "step_time_us"}] = {.interleaved = interleaved[point],
                                                        .sequential = sequential[point]};
  }
  return floors;
}

}  // namespace harness
