// When to stop measuring one point: as soon as the median of the step time is known precisely enough, or when
// samples, time or patience run out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "ess_core/base/units.h"

namespace harness {

enum class stop_reason : std::uint8_t { precise, max_samples, max_seconds, cancelled };
[[nodiscard]] std::string_view to_string(stop_reason reason);
[[nodiscard]] std::optional<stop_reason> parse_stop_reason(std::string_view name);

struct stopping_options {
  std::size_t warmup_samples = 3;     // taken, not kept
  std::size_t min_samples = 20;       // kept ones, before precision may end it
  std::size_t max_samples = 1000;     // kept ones
  ess::seconds max_time{60.0};        // since construction, warm-up included
  double relative_half_width = 0.02;  // target: half the 95 % interval of the median, over the median
};

// What a rule asks the world. Tests replace it.
struct stopping_world {
  std::function<ess::seconds()> now;  // any clock that never goes back
  std::function<bool()> cancelled;
};
// The steady clock; never cancelled.
[[nodiscard]] stopping_world real_world();

class stopping_rule {
 public:
  explicit stopping_rule(const stopping_options& options, stopping_world world = real_world());

  void add(ess::microseconds step);
  // Nullopt: take another sample. A reason stays once it is given.
  [[nodiscard]] std::optional<stop_reason> stop();

  [[nodiscard]] bool warming_up() const { return seen_ < options_.warmup_samples; }
  // Microseconds, in the order taken, without warm-up.
  [[nodiscard]] std::span<const double> samples() const { return samples_; }
  // Of the last look; nullopt before the first.
  [[nodiscard]] std::optional<ess::microseconds> median() const { return median_; }
  [[nodiscard]] std::optional<double> relative_half_width() const { return half_width_; }

 private:
  [[nodiscard]] std::optional<stop_reason> decide();
  void look();

  stopping_options options_;
  stopping_world world_;
  ess::seconds start_;
  std::size_t seen_ = 0;
  std::size_t next_look_;
  std::vector<double> samples_;
  std::optional<ess::microseconds> median_;
  std::optional<double> half_width_;
  std::optional<stop_reason> reason_;
};

}  // namespace harness
