// Two arms of one build, drawn from a recording: what a gate would have seen if nothing had changed.
//
// A draw keeps what belongs together. A run of it is a stretch of consecutive steps of one recorded run, as
// many as the real stopping rule takes of them; all points of a run come from the same recorded run; the two
// runs of a block come from recorded runs that were neighbours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "harness/gating/noise_recording.h"

namespace harness {

struct recorded_range {  // of runs
  std::size_t first = 0, end = 0;
};

enum class draw_order : std::uint8_t {
  interleaved,  // blocks of neighbours
  sequential,   // consecutive runs for one arm, others for the other
};

// What one point's runs of both arms gave, in the order of blocks: medians of the step time in us.
struct drawn_point {
  std::vector<double> before, after;
};

class noise_draws {
 public:
  // At least four runs.
  noise_draws(const noise_recording& of, recorded_range runs, std::uint64_t seed);

  [[nodiscard]] const noise_recording& recording() const { return of_; }
  // One entry a point. The same number, the same arms.
  [[nodiscard]] std::vector<drawn_point> draw(std::uint64_t number, std::size_t blocks,
                                              draw_order order) const;

 private:
  struct place {
    std::size_t run, stretch;
  };
  [[nodiscard]] std::vector<std::pair<place, place>> places(std::uint64_t number, std::size_t blocks,
                                                            draw_order order) const;

  const noise_recording& of_;
  recorded_range runs_;
  std::uint64_t seed_;
  std::vector<std::vector<std::vector<double>>> medians_;  // by point, run, stretch
};

// The share that the median ratio of `blocks` blocks stays within in 99.9 % of `draws` draws, by point and
// metric.
[[nodiscard]] results::noise_floors floors_of(const noise_recording& of, recorded_range runs,
                                              std::size_t blocks, std::size_t draws, std::uint64_t seed);
[[nodiscard]] inline recorded_range all_runs(const noise_recording& of) {
  return {0, of.points.front().runs.size()};
}

}  // namespace harness
