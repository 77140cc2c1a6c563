#include "ess_core/device/cpu/worker_team.h"

#include <atomic>
#include <thread>
#include <vector>

namespace ess::cpu {

struct worker_team::state {
  const std::function<void(std::int32_t, int)>* work = nullptr;
  std::int32_t parts = 0;
  std::atomic<std::int32_t> next{0};
  std::atomic<int> busy{0};
  std::atomic<std::uint64_t> round{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;

  void take_parts(int thread) {
    for (std::int32_t part = next.fetch_add(1); part < parts; part = next.fetch_add(1)) (*work)(part, thread);
  }

  void serve(int thread) {
    for (std::uint64_t seen = 0;;) {
      round.wait(seen);
      seen = round.load();
      if (stop.load()) return;
      take_parts(thread);
      if (busy.fetch_sub(1) == 1) busy.notify_one();
    }
  }
};

worker_team::worker_team(int threads, std::function<void()> prepare) : state_(std::make_unique<state>()) {
  for (int thread = 1; thread < threads; ++thread) {
    state_->threads.emplace_back([s = state_.get(), thread, prepare] {
      prepare();
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
  for (int left = state_->busy.load(); left > 0; left = state_->busy.load()) state_->busy.wait(left);
}

}  // namespace ess::cpu
