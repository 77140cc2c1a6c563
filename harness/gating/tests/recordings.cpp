#include "harness/gating/tests/recordings.h"

#include "ess_core/base/random.h"

namespace harness::testing {

noise_recording made_up(std::size_t runs, double between, double within, std::uint64_t seed) {
  constexpr std::size_t steps = 80;
  const stopping_options stopping{
      .warmup_samples = 0, .min_samples = 20, .max_samples = 60, .relative_half_width = 0.01};
  noise_recording made{.workload = "made up",
                       .machine = {{"cpu", {{"model", "Example 3000"}}}},
                       .points = {{"slow", "all_gpu", stopping, {}}, {"quick", "ess", stopping, {}}}};
  for (std::size_t point = 0; point < made.points.size(); ++point) {
    const ess::counter_rng draw(seed, ess::purpose::microbenchmark, static_cast<std::uint32_t>(point));
    for (std::size_t run = 0; run < runs; ++run) {
      const double level = (point == 0 ? 20'000 : 5'000) * (1 + between * (draw.uniform(run) - 0.5));
      double drift = 0;
      std::vector<double>& out = made.points[point].runs.emplace_back();
      for (std::size_t i = 0; i < steps; ++i) {
        const double noise = draw.uniform(runs + run * steps + i) - 0.5;
        drift = 0.9 * drift + 0.1 * noise;
        out.push_back(level * (1 + within * (noise + drift)));
      }
    }
  }
  return made;
}

}  // namespace harness::testing
