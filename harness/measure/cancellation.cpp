#include "harness/measure/cancellation.h"

#include <atomic>

namespace harness {
namespace {

static_assert(std::atomic<int>::is_always_lock_free);  // a signal handler may touch nothing else
std::atomic<int> received = 0;
std::atomic<bool> listening = false;

extern "C" void essbench_note_signal(int number) {
  received = number;
  // Both go back to killing, whichever came first.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

struct sigaction listen(int number) {
  struct sigaction ours = {};
  struct sigaction before = {};
  ours.sa_handler = essbench_note_signal;
  ours.sa_flags = SA_RESTART;
  sigemptyset(&ours.sa_mask);
  sigaction(number, &ours, &before);
  return before;
}

}  // namespace

cancellation::cancellation() {
  if (listening.exchange(true)) throw cancellation_error("two cancellations at a time");
  received = 0;
  before_interrupt_ = listen(SIGINT);
  before_terminate_ = listen(SIGTERM);
}

cancellation::~cancellation() {
  sigaction(SIGINT, &before_interrupt_, nullptr);
  sigaction(SIGTERM, &before_terminate_, nullptr);
  listening = false;
}

bool cancellation::is_requested() { return listening && received != 0; }
bool cancellation::requested() const { return signal() != 0; }
int cancellation::signal() const { return received; }

}  // namespace harness
