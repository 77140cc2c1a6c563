#include "ess_core/device/cpu/thread_place.h"

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

kept_on_core::kept_on_core(int core) : before_(current_set()) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(core, &only);
  use(only);
}

kept_on_core::~kept_on_core() { use(before_); }

}  // namespace ess::cpu
