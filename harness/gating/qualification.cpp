#include "harness/gating/qualification.h"

#include <algorithm>
#include <array>

namespace harness {
namespace {

using results::verdict;

results::loaded_point point_with(const recorded_point& of, double step_us) {
  results::attempt_record attempt;
  attempt.metrics["step_time_us"] = {.median = step_us, .lo = step_us, .hi = step_us, .n = 1, .unit = "us"};
  results::loaded_point made{.point = {.label = of.label, .system = of.system, .clock = "wall"},
                             .attempts = {}};
  made.attempts.push_back(std::move(attempt));
  return made;
}

// Runs as they would have come out of a store: block i begins at second 2 i.
void append_runs(const noise_recording& of, const std::vector<drawn_point>& drawn, two_arms& into) {
  const std::size_t blocks = drawn.front().before.size(), before = into.before.size();
  for (std::size_t block = 0; block < blocks; ++block) {
    const bool first = first_of_block(before + block) == which_arm::before;
    const auto at = [&](bool second) {
      return results::utc_time(std::chrono::seconds(2 * (before + block) + (second ? 1 : 0)));
    };
    results::loaded_run a{.run = {.started_at = at(!first)}, .env = of.machine};
    results::loaded_run b{.run = {.started_at = at(first)}, .env = of.machine};
    for (std::size_t point = 0; point < drawn.size(); ++point) {
      a.points.push_back(point_with(of.points[point], drawn[point].before[block]));
      b.points.push_back(point_with(of.points[point], drawn[point].after[block]));
    }
    into.before.push_back(std::move(a));
    into.after.push_back(std::move(b));
  }
}

class qualifier {
 public:
  qualifier(const noise_recording& of, const qualification_options& options)
      : of_(of),
        options_(options),
        draws_(of, {all_runs(of).end / 2, all_runs(of).end}, options.seed + 1),
        gate_{.blocks = options.blocks} {
    const recorded_range first_half{0, all_runs(of).end / 2};
    gate_.judging.floors = floors_of(of, first_half, options.blocks, options.floor_draws, options.seed);
    gate_.floors_of_twice = floors_of(of, first_half, 2 * options.blocks, options.floor_draws, options.seed);
  }

  qualification run() {
    qualification made{.pairs = options_.pairs};
    for (std::uint64_t pair = 0; pair < options_.pairs; ++pair) {
      const gate_outcome outcome = gate(pair, none, 1.0);
      made.false_alarms += outcome.judged.any(verdict::slower) ? 1 : 0;
      made.false_praise += outcome.judged.any(verdict::faster) ? 1 : 0;
      made.measured_again += outcome.measured_again ? 1 : 0;
    }
    for (std::size_t point = 0; point < of_.points.size(); ++point) made.points.push_back(slowed(point));
    return made;
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  // Arms of which the second is `factor` times as slow at one point.
  [[nodiscard]] gate_outcome gate(std::uint64_t pair, std::size_t slow_point, double factor) const {
    std::uint64_t part = 0;  // blocks that are measured again are other draws
    return measure_and_judge(gate_, [&](std::size_t blocks, two_arms& into) {
      auto drawn = draws_.draw(2 * pair + part++, blocks, draw_order::interleaved);
      if (slow_point != none) {
        for (double& us : drawn[slow_point].after) us *= factor;
      }
      append_runs(of_, drawn, into);
    });
  }

  [[nodiscard]] qualified_point slowed(std::size_t point) const {
    const std::string& label = of_.points[point].label;
    qualified_point made{.label = label, .floor = gate_.judging.floors.at({label, "step_time_us"})};
    made.slowdown = std::max(options_.least_slowdown, options_.slowdown_over_floor * made.floor.interleaved);
    for (std::uint64_t pair = 0; pair < options_.pairs; ++pair) {
      const gate_outcome outcome = gate(pair, point, 1 + made.slowdown);
      made.found += std::ranges::any_of(outcome.judged.judgements, [&](const results::judgement& j) {
        return j.label == label && j.what == verdict::slower;
      });
    }
    return made;
  }

  const noise_recording& of_;
  const qualification_options& options_;
  noise_draws draws_;
  gate_options gate_;
};

}  // namespace

qualification qualify(const noise_recording& of, const qualification_options& options) {
  return qualifier(of, options).run();
}

}  // namespace harness
