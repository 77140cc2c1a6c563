// Waiting for another thread of this device: at first by polling, since what comes is often microseconds away
// and waking a sleeping thread takes tens of them; then asleep.
#pragma once

#include <atomic>
#include <chrono>

namespace ess::cpu {

// Returns once `value` is no longer `old`, with what it is then.
template <typename number>
number polling_wait(const std::atomic<number>& value, number old, std::chrono::microseconds poll_for) {
  const auto give_up = std::chrono::steady_clock::now() + poll_for;
  for (;;) {
    const number now = value.load(std::memory_order_acquire);
    if (now != old) return now;
    if (std::chrono::steady_clock::now() >= give_up) value.wait(old, std::memory_order_acquire);
  }
}

}  // namespace ess::cpu
