#include "ess_core/device/cpu/stream_executor.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "ess_core/device/cpu/polling_wait.h"
#include "ess_core/device/cpu/thread_place.h"

namespace ess::cpu {
namespace {

using clock = std::chrono::steady_clock;

// The other stream may be milliseconds away, and the cores are wanted by the threads that compute.
constexpr std::chrono::microseconds poll_for{20};

}  // namespace

bool upcoming::is_due() const {
  const auto has_ended = [&](std::size_t i) { return done_[i].load(std::memory_order_acquire) != 0; };
  const auto& all = program_->operations;
  const stream_id own = all[index_].stream;
  for (std::size_t i = index_ + 1; i < all.size(); ++i) {
    if (all[i].stream != own) continue;
    return std::ranges::all_of(all[i].waits,
                               [&](std::int32_t wait) { return has_ended(static_cast<std::size_t>(wait)); });
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].stream != own && !has_ended(i)) return false;
  }
  return true;
}

struct stream_executor::state {
  // One step.
  struct job {
    const step_program& program;
    const execute_one& execute;
    const device::probe& after;
    clock::time_point begin;
    step_timing timing;
    std::vector<std::atomic<std::uint32_t>> done;
    std::atomic<bool> failed{false};
    std::exception_ptr error;
    std::mutex mutex;  // error, and calls of `after`

    job(const step_program& p, const execute_one& e, const device::probe& a)
        : program(p), execute(e), after(a), begin(clock::now()), done(p.operations.size()) {
      timing.operations.resize(p.operations.size());
    }

    void run_stream(stream_id stream) {
      for (std::size_t i = 0; i < program.operations.size(); ++i) {
        const operation& op = program.operations[i];
        if (op.stream != stream) continue;
        for (const std::int32_t wait : op.waits) {
          polling_wait(done[static_cast<std::size_t>(wait)], 0u, poll_for);
        }
        if (!failed) run_one(i, timing.operations[i]);
        done[i].store(1, std::memory_order_release);
        done[i].notify_all();
      }
    }

    void run_one(std::size_t index, op_timing& time) try {
      const operation& op = program.operations[index];
      time.start = clock::now() - begin;
      execute(op, upcoming(program, done, index));
      time.end = clock::now() - begin;
      if (!after) return;
      const std::scoped_lock lock(mutex);
      after(op);
    } catch (...) {
      const std::scoped_lock lock(mutex);
      if (!failed.exchange(true)) error = std::current_exception();
    }
  };

  std::atomic<bool> stop{false};

  // The thread of a stream other than compute.
  struct server {
    const std::atomic<bool>& stop;
    stream_id stream;
    std::atomic<job*> current{nullptr};
    std::atomic<std::uint32_t> round{0};
    std::atomic<std::uint32_t> finished{0};
    std::thread thread{[this] { serve(); }};

    void serve() {
      ask_for_short_slices();
      for (std::uint32_t seen = 0;;) {
        round.wait(seen);
        seen = round.load();
        if (stop) return;
        current.load()->run_stream(stream);
        finished.store(seen, std::memory_order_release);
        finished.notify_one();
      }
    }

    void begin(job* next) {
      current = next;
      ++round;
      round.notify_one();
    }

    void join_step() {
      for (std::uint32_t seen = finished; seen != round; seen = finished) finished.wait(seen);
    }
  };
  server copy{stop, stream_id::copy};
  std::optional<server> network = {};  // from the first program on that has something for it
};

stream_executor::stream_executor() : state_(std::make_unique<state>()) {}

stream_executor::~stream_executor() {
  state_->stop = true;
  state_->copy.begin(nullptr);
  if (state_->network) state_->network->begin(nullptr);
  state_->copy.thread.join();
  if (state_->network) state_->network->thread.join();
}

step_timing stream_executor::run(const step_program& program, const execute_one& execute,
                                 const device::probe& after) {
  state::job job(program, execute, after);
  const bool journeys = has_work_on(program, stream_id::network);
  if (journeys && !state_->network) state_->network.emplace(state_->stop, stream_id::network);
  state_->copy.begin(&job);
  if (journeys) state_->network->begin(&job);
  job.run_stream(stream_id::compute);
  state_->copy.join_step();
  if (journeys) state_->network->join_step();
  job.timing.total = clock::now() - job.begin;
  if (job.error) std::rethrow_exception(job.error);
  return std::move(job.timing);
}

}  // namespace ess::cpu
