#include "ess_core/device/cpu/worker_team.h"

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "ess_core/device/cpu/polling_wait.h"
#include "ess_core/device/cpu/thread_place.h"

namespace ess::cpu {
namespace {

// Operations of a step follow each other at once, but for what one thread does alone.
constexpr std::chrono::microseconds poll_for{100};

constexpr int no_core = -1;

}  // namespace

struct worker_team::state {
  const std::function<void(std::int32_t, int)>* work = nullptr;
  std::int32_t parts = 0;
  std::atomic<std::int32_t> next{0};
  std::atomic<int> busy{0};
  std::atomic<std::uint64_t> round{0};
  std::atomic<bool> stop{false};
  std::optional<int> core_of_caller;
  std::vector<std::thread> threads;

  void take_parts(int thread) {
    for (std::int32_t part = next.fetch_add(1); part < parts; part = next.fetch_add(1)) (*work)(part, thread);
  }

  void serve(int thread) {
    for (std::uint64_t seen = 0;;) {
      seen = polling_wait(round, seen, poll_for);
      if (stop.load()) return;
      take_parts(thread);
      if (busy.fetch_sub(1) == 1) busy.notify_one();
    }
  }
};

worker_team::worker_team(int threads, int first) : state_(std::make_unique<state>()) {
  const std::vector<int> cores = usable_cores();
  const bool keep = threads > 1 && cores.size() >= static_cast<std::size_t>(first + threads);
  if (keep) state_->core_of_caller = cores[static_cast<std::size_t>(first)];
  for (int thread = 1; thread < threads; ++thread) {
    state_->threads.emplace_back([s = state_.get(), thread, core = keep ? cores[first + thread] : no_core] {
      std::optional<kept_on_core> kept;
      if (core != no_core) kept.emplace(core);
      s->serve(thread);
    });
  }
}

worker_team::~worker_team() {
  state_->stop = true;
  ++state_->round;
  state_->round.notify_all();
  for (std::thread& t : state_->threads) t.join();
}

int worker_team::threads() const { return static_cast<int>(state_->threads.size()) + 1; }
std::optional<int> worker_team::core_of_caller() const { return state_->core_of_caller; }

void worker_team::for_each(std::int32_t parts, const std::function<void(std::int32_t, int)>& work) {
  if (state_->threads.empty() || parts == 1) {
    for (std::int32_t part = 0; part < parts; ++part) work(part, 0);
    return;
  }
  state_->work = &work;
  state_->parts = parts;
  state_->next = 0;
  state_->busy = static_cast<int>(state_->threads.size());
  ++state_->round;
  state_->round.notify_all();
  state_->take_parts(0);
  for (int left = state_->busy.load(); left > 0;) left = polling_wait(state_->busy, left, poll_for);
}

}  // namespace ess::cpu
