#include "harness/measure/stopping_rule.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "results/statistics.h"

namespace harness {
namespace {

constexpr std::array<std::string_view, 4> reason_names = {"precise", "max_samples", "max_seconds",
                                                          "cancelled"};

// Each look at the interval is a chance to stop on luck, and costs a sort: look again after 10 % more
// samples.
std::size_t after(std::size_t samples) { return samples + std::max<std::size_t>(1, samples / 10); }

ess::seconds steady_now() { return std::chrono::steady_clock::now().time_since_epoch(); }

}  // namespace

std::string_view to_string(stop_reason reason) { return reason_names[static_cast<std::size_t>(reason)]; }

std::optional<stop_reason> parse_stop_reason(std::string_view name) {
  const auto found = std::ranges::find(reason_names, name);
  if (found == reason_names.end()) return std::nullopt;
  return static_cast<stop_reason>(found - reason_names.begin());
}

stopping_world real_world() {
  return {.now = steady_now, .cancelled = [] { return false; }};
}

stopping_rule::stopping_rule(const stopping_options& options, stopping_world world)
    : options_(options),
      world_(std::move(world)),
      start_(world_.now()),
      next_look_(std::max<std::size_t>(1, options.min_samples)) {}

void stopping_rule::add(ess::microseconds step) {
  if (++seen_ > options_.warmup_samples) samples_.push_back(step.count());
}

std::optional<stop_reason> stopping_rule::stop() {
  if (!reason_) reason_ = decide();
  return reason_;
}

std::optional<stop_reason> stopping_rule::decide() {
  if (world_.cancelled()) return stop_reason::cancelled;
  const bool full = samples_.size() >= options_.max_samples;
  const bool late = world_.now() - start_ >= options_.max_time;
  if (samples_.size() >= next_look_ || ((full || late) && !samples_.empty())) look();
  const bool enough = samples_.size() >= options_.min_samples;
  if (enough && half_width_ && *half_width_ <= options_.relative_half_width) return stop_reason::precise;
  if (full) return stop_reason::max_samples;
  if (late && !samples_.empty()) return stop_reason::max_seconds;
  return std::nullopt;
}

void stopping_rule::look() {
  const results::median_estimate estimate = results::estimate_median(samples_);
  median_ = ess::microseconds(estimate.median);
  half_width_.reset();
  // Below six samples no pair of them covers the median with 95 %.
  if (estimate.method == results::interval_method::order_statistics && estimate.median > 0) {
    half_width_ = 0.5 * (estimate.bounds.hi - estimate.bounds.lo) / estimate.median;
  }
  next_look_ = after(samples_.size());
}

}  // namespace harness
