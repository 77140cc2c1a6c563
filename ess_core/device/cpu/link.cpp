#include "ess_core/device/cpu/link.h"

#include <sys/prctl.h>

#include <algorithm>
#include <thread>

namespace ess::cpu {
namespace {

constexpr std::chrono::microseconds spin_for{40};

// Linux adds up to 50 us to a sleep unless told otherwise.
void sleep_until(paced_link::clock::time_point time) {
  thread_local const int told = prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  static_cast<void>(told);
  std::this_thread::sleep_until(time);
}

void wait_until(paced_link::clock::time_point deadline) {
  if (deadline - paced_link::clock::now() > spin_for) sleep_until(deadline - spin_for);
  while (paced_link::clock::now() < deadline) {
  }
}

}  // namespace

std::chrono::nanoseconds paced_link::duration(const transfer& t) const {
  const bool gather = t.by == transfer::way::gather;
  const double bytes_per_ns = gather ? settings_.gather_gb_per_s : settings_.copy_gb_per_s;
  const double calls_ns = gather ? 0.0 : settings_.call_us * 1e3 * static_cast<double>(t.calls);
  return std::chrono::nanoseconds(
      static_cast<std::int64_t>(static_cast<double>(t.bytes.value) / bytes_per_ns + calls_ns));
}

void paced_link::finish(clock::time_point start, const transfer& t) { finish(start, t, wait_until); }

void paced_link::finish_asleep(clock::time_point start, const transfer& t) { finish(start, t, sleep_until); }

void paced_link::finish(clock::time_point start, const transfer& t, wait until) {
  if (!settings_.paced) return;
  const auto full = duration(t);
  const auto credit = std::min(late_, full);
  const auto deadline = start + (full - credit);
  until(deadline);
  late_ = late_ - credit + (clock::now() - deadline);
}

}  // namespace ess::cpu
