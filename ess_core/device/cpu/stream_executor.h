// Runs a step program: one thread a stream, in order within a stream, across streams as the waits say.
#pragma once

#include <functional>
#include <memory>

#include "ess_core/device/device.h"

namespace ess::cpu {

class stream_executor {
 public:
  stream_executor();
  ~stream_executor();
  stream_executor(const stream_executor&) = delete;
  stream_executor& operator=(const stream_executor&) = delete;

  // The compute stream runs on the calling thread. An exception of `execute` or `after` ends the step and
  // comes out here. `after` is called by one thread at a time. Fills in total and operations.
  step_timing run(const step_program& program, const std::function<void(const operation&)>& execute,
                  const device::probe& after);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace ess::cpu
