#include "ess_core/device/cuda/emulation/block.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "ess_core/device/cuda/emulation/checker_hooks.h"
#include "ess_core/device/cuda/emulation/sanitizers.h"
#include "ess_core/device/cuda/emulation/stand_in.h"
#include "ess_core/device/cuda/emulation/warp.h"

namespace ess::emulation {

constinit thread_local thread_view* current = nullptr;

namespace {

constexpr std::uint32_t most_idle_yields = 1u << 22;

std::string triple(unsigned x, unsigned y, unsigned z) {
  return "(" + std::to_string(x) + "," + std::to_string(y) + "," + std::to_string(z) + ")";
}

block_thread* next_ready(block& b) {
  if (b.ready_begin == b.ready_end) return nullptr;
  const std::size_t wrap = b.ready.size() - 1;
  if (b.random != 0) {
    const auto waiting = b.ready_end - b.ready_begin;
    const auto chosen = b.ready_begin + static_cast<std::uint32_t>(next_random(b.random) % waiting);
    std::swap(b.ready[chosen & wrap], b.ready[b.ready_begin & wrap]);
  }
  return &b.threads[b.ready[b.ready_begin++ & wrap]];
}

void run_instead(block_thread& from, block_thread& to) {
  current = &to;
  switch_fiber(from.context, to.context);
  from.spins = 0;
}

void open_barrier(block& b, const block_thread* opener) {
  block_barrier& r = b.barrier;
  r.result = r.kind == barrier_kind::count ? r.predicates
             : r.kind == barrier_kind::all ? r.predicates == r.arrived
                                           : r.predicates > 0;
  r.arrived = r.predicates = 0;
  b.idle_yields = 0;
  if (checker != nullptr) checker->barrier_opens(b);
  for (block_thread& t : b.threads) {
    if (t.state == thread_state::at_barrier && &t != opener) make_ready(t);
  }
}

void exit_thread(block_thread& t) {
  block& b = *t.home;
  t.state = thread_state::exited;
  --b.alive;
  b.idle_yields = 0;
  leave_warp(t);
  if (b.barrier.arrived != 0 && b.barrier.arrived == b.alive) open_barrier(b, nullptr);
}

// Leaves the fiber for good.
[[noreturn]] void go_on_with(block_thread& from, block_thread& to) {
  current = &to;
  leave(from.context, to.context);
}

void stop(block& b) { b.ready_begin = b.ready_end = 0; }

struct kernel_failed {};  // unwinds the fiber of the thread that failed

void run_kernel_of(block_thread& t) {
  const grid& g = *t.home->of;
  try {
    g.entry(g.kernel, g.params);
    exit_thread(t);
  } catch (const kernel_failed&) {
    stop(*t.home);
  } catch (...) {
    record_failure(*t.home->of, cudaErrorLaunchFailure, name_of(t) + ": a C++ exception left the kernel");
    stop(*t.home);
  }
}

// Nothing can run, yet threads are left.
std::string describe_deadlock(const block& b) {
  std::map<std::string, std::string> waiting;
  for (const block_thread& t : b.threads) {
    if (t.state == thread_state::exited) continue;
    const std::string where =
        (t.state == thread_state::at_barrier ? "at a barrier of the block, "
                                             : "in a warp operation, mask " + hex(t.waits_for) + ", ") +
        to_string(t.waits_at);
    std::string& who = waiting[where];
    if (who.size() < 60) {
      who += " " + std::to_string(t.index);
    } else if (!who.ends_with("...")) {
      who += " ...";
    }
  }
  std::string report = "deadlock in block " + triple(b.index.x, b.index.y, b.index.z) + ", " +
                       std::to_string(b.alive) + " of " + std::to_string(b.size) + " threads left:";
  for (const auto& [where, who] : waiting) report += "\n  " + where + ": threads" + who;
  return report;
}

}  // namespace

void run_thread() {
  block_thread& t = *running_thread();
  arrive_on(t.context);
  run_kernel_of(t);
  block_thread* const next = next_ready(*t.home);
  go_on_with(t, next != nullptr ? *next : t.home->main);
}

std::uint64_t next_random(std::uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

void make_ready(block_thread& t) {
  block& b = *t.home;
  t.state = thread_state::ready;
  b.ready[b.ready_end++ & (b.ready.size() - 1)] = t.index;
}

void suspend(block_thread& t) {
  block_thread* const next = next_ready(*t.home);
  if (next != &t) run_instead(t, next != nullptr ? *next : t.home->main);
}

void spin(block_thread& t) {
  t.spins = 0;
  block& b = *t.home;
  if (++b.idle_yields > most_idle_yields) fail(t, cudaErrorLaunchFailure, "spins, and nothing else happens");
  if (b.ready_begin == b.ready_end) sched_yield();  // it may wait for a block on another OS thread
  make_ready(t);
  suspend(t);
}

void may_switch(block_thread& t) {
  block& b = *t.home;
  const int mean = stand_in_settings().accesses_between_switches;
  if (b.random == 0 || mean <= 0 || --b.until_switch >= 0) return;
  b.until_switch = static_cast<int>(next_random(b.random) % (2 * static_cast<std::uint64_t>(mean)));
  make_ready(t);
  suspend(t);
}

bool is_dropped(call_site at) {
  const std::string& dropped = stand_in_settings().dropped;
  return !dropped.empty() && to_string(at) == dropped;
}

int meet_at_barrier(barrier_kind kind, int predicate, call_site at) {
  block_thread& t = running_thread("__syncthreads", at);
  if (kind == barrier_kind::sync && is_dropped(at)) return 0;
  block& b = *t.home;
  block_barrier& r = b.barrier;
  if (r.arrived == 0) {
    r.kind = kind;
    r.at = at;
  } else if (r.at.line != at.line || std::strcmp(r.at.file, at.file) != 0) {
    fail(t, cudaErrorLaunchFailure,
         "divergent barrier: it is at " + to_string(at) + ", others of its block wait at " + to_string(r.at));
  }
  ++r.arrived;
  r.predicates += predicate != 0;
  t.state = thread_state::at_barrier;
  if (r.arrived == b.alive) {
    open_barrier(b, &t);
    t.state = thread_state::ready;
  } else {
    t.waits_at = at;
    suspend(t);
  }
  return r.result;
}

block_thread& running_thread(const char* what, call_site at) {
  if (current == nullptr) {
    std::fprintf(stderr, "%s outside a kernel, at %s\n", what, to_string(at).c_str());
    std::abort();
  }
  return *running_thread();
}

void run_block(block& b, grid& g, std::uint64_t linear_index) {
  begin_block(b, g, linear_index);
  adopt_this_thread(b.main.context);
  while (block_thread* const t = next_ready(b)) run_instead(b.main, *t);
  current = nullptr;
  if (b.alive != 0 && !g.failed) record_failure(g, cudaErrorLaunchFailure, describe_deadlock(b));
  unpoison(b.shared_end - most_shared, most_shared);
}

void record_failure(grid& g, cudaError_t error, const std::string& report) {
  const std::lock_guard lock(g.failure);
  if (g.failed.exchange(true)) return;
  g.error = error;
  g.report = report;
}

void fail(block_thread& t, cudaError_t error, const std::string& what) {
  record_failure(*t.home->of, error, name_of(t) + ": " + what);
  throw kernel_failed{};
}

void abandon(block_thread& t, cudaError_t error, const std::string& what) {
  record_failure(*t.home->of, error, name_of(t) + ": " + what);
  stop(*t.home);
  go_on_with(t, t.home->main);
}

std::string to_string(call_site at) {
  const char* const name = std::strrchr(at.file, '/');
  return std::string(name != nullptr ? name + 1 : at.file) + ":" + std::to_string(at.line);
}

std::string hex(std::uint64_t value) {
  char text[20];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::string name_of(const block_thread& t) {
  return "thread " + triple(t.thread_index.x, t.thread_index.y, t.thread_index.z) + " of block " +
         triple(t.block_index->x, t.block_index->y, t.block_index->z);
}

}  // namespace ess::emulation
