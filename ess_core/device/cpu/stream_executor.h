// Runs a step program: one thread a stream, in order within a stream, across streams as the waits say.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>

#include "ess_core/device/device.h"

namespace ess::cpu {

// What comes after an operation on its stream.
class upcoming {
 public:
  upcoming() = default;
  upcoming(const step_program& program, std::span<const std::atomic<std::uint32_t>> done, std::size_t index)
      : program_(&program), done_(done), index_(index) {}

  // True once the next operation of the stream could start, or, if it is the last, once all others have
  // ended: who only fills idle time stops then.
  [[nodiscard]] bool is_due() const;

 private:
  const step_program* program_ = nullptr;
  std::span<const std::atomic<std::uint32_t>> done_;
  std::size_t index_ = 0;
};

class stream_executor {
 public:
  stream_executor();
  ~stream_executor();
  stream_executor(const stream_executor&) = delete;
  stream_executor& operator=(const stream_executor&) = delete;

  using execute_one = std::function<void(const operation&, const upcoming&)>;

  // The compute stream runs on the calling thread. An exception of `execute` or `after` ends the step and
  // comes out here. `after` is called by one thread at a time. Fills in total and operations.
  step_timing run(const step_program& program, const execute_one& execute, const device::probe& after);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace ess::cpu
