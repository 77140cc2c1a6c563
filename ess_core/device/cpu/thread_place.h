// Threads that compute stay on a core each while a step runs: the scheduler else puts two of them on one core
// now and then, and a step takes half as long again.
#pragma once

#include <sched.h>

#include <vector>

namespace ess::cpu {

// Cores that the calling thread may use, ascending.
[[nodiscard]] std::vector<int> usable_cores();

// The calling thread asks for the shortest slices, so that it runs as soon as it wakes even if a thread
// computes on every core: Linux else lets those finish slices of milliseconds first. Kernels before 6.12
// ignore it.
void ask_for_short_slices();

// Keeps the calling thread on one core until destroyed, by the same thread. Where that is refused, the thread
// stays free.
class kept_on_core {
 public:
  explicit kept_on_core(int core);
  ~kept_on_core();
  kept_on_core(const kept_on_core&) = delete;
  kept_on_core& operator=(const kept_on_core&) = delete;

 private:
  cpu_set_t before_;
};

}  // namespace ess::cpu
