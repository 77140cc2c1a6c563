// The link between the tiers. Both are one DRAM here, so on request transfers are paced: the copy is really
// made, and then the thread waits until the link asked for would have finished it.
#pragma once

#include <chrono>

#include "ess_core/base/units.h"
#include "ess_core/device/device.h"

namespace ess::cpu {

// What one operation moves over the link.
struct transfer {
  byte_count bytes;
  std::int64_t calls = 1;  // copy calls that it takes
  enum class way : std::uint8_t { gather, copy } by = way::gather;
};

class paced_link {
 public:
  using clock = std::chrono::steady_clock;

  explicit paced_link(const link_settings& settings) : settings_(settings) {}

  // How long the link asked for takes. A gather is one kernel; copies pay for each call and for their bytes.
  [[nodiscard]] std::chrono::nanoseconds duration(const transfer& t) const;
  // Call when the copy that began at `start` has been made: returns once the link would have finished. One
  // absolute deadline: asleep until 40 us before it, then spinning. What it comes late is taken off the next
  // transfer.
  void finish(clock::time_point start, const transfer& t);
  // The same, asleep all the time: for whoever only fills idle time, and must not take a core for that.
  void finish_asleep(clock::time_point start, const transfer& t);
  // Lateness that no later transfer has made up for.
  [[nodiscard]] microseconds late() const { return late_; }
  // Starts a step with these settings and nothing to make up for.
  void begin_step(const link_settings& settings) {
    settings_ = settings;
    late_ = {};
  }

 private:
  using wait = void (*)(clock::time_point deadline);
  void finish(clock::time_point start, const transfer& t, wait until);

  link_settings settings_;
  std::chrono::nanoseconds late_{};
};

}  // namespace ess::cpu
