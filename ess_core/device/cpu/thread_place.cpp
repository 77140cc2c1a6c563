#include "ess_core/device/cpu/thread_place.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace ess::cpu {
namespace {

cpu_set_t current_set() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);  // fails beyond 1,024 cores: then no core is known
  return set;
}

void use(const cpu_set_t& set) { sched_setaffinity(0, sizeof set, &set); }

}  // namespace

std::vector<int> usable_cores() {
  const cpu_set_t set = current_set();
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  return cores;
}

void ask_for_short_slices() {
  // sched_attr of <linux/sched/types.h>, which does not go together with <sched.h>: see sched_setattr(2).
  struct {
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime_ns, deadline_ns, period_ns;
  } asked{};
  if (syscall(SYS_sched_getattr, 0, &asked, sizeof asked, 0) != 0 || asked.policy != SCHED_OTHER) return;
  asked.runtime_ns = 100'000;  // of a slice; the kernel grants none that is shorter
  syscall(SYS_sched_setattr, 0, &asked, 0);
}

kept_on_core::kept_on_core(int core) : before_(current_set()) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(core, &only);
  use(only);
}

kept_on_core::~kept_on_core() { use(before_); }

}  // namespace ess::cpu
