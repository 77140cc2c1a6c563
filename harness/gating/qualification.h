// What a gate on this machine can be trusted with: how often it cries without cause, and how often it sees a
// slowdown. By the real stopping rule, judge and repetition, on arms drawn from a recording: floors from its
// first half, draws from its second.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "harness/gating/gate.h"
#include "harness/gating/noise_draws.h"

namespace harness {

struct qualification_options {
  std::size_t blocks = 10;
  std::size_t pairs = 2000;
  std::size_t floor_draws = 10'000;
  double least_slowdown = 0.05;
  double slowdown_over_floor = 1.5;
  std::uint64_t seed = 1;
};

struct qualified_point {
  std::string label;
  results::noise_floor floor;  // of the first half
  double slowdown = 0;         // that was added: the larger of least_slowdown and slowdown_over_floor x floor
  std::size_t found = 0;       // as slower, at that point, of `pairs`
};

struct qualification {
  std::size_t pairs = 0;
  std::size_t false_alarms = 0;    // of arms that differ by nothing: some point slower
  std::size_t false_praise = 0;    // some point faster
  std::size_t measured_again = 0;  // of the same arms
  std::vector<qualified_point> points;
};

[[nodiscard]] qualification qualify(const noise_recording& of, const qualification_options& options);

}  // namespace harness
