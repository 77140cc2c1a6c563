// Ctrl-C: the first SIGINT or SIGTERM asks the run to end in order, a second one kills it.
#pragma once

#include <csignal>
#include <stdexcept>

namespace harness {

class cancellation_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Listens while it lives, then restores what was before. One at a time: throws cancellation_error otherwise.
class cancellation {
 public:
  cancellation();
  cancellation(const cancellation&) = delete;
  cancellation& operator=(const cancellation&) = delete;
  ~cancellation();

  [[nodiscard]] bool requested() const;
  // Whether one that lives was asked; false if none does.
  [[nodiscard]] static bool is_requested();
  // SIGINT or SIGTERM; 0 while none came.
  [[nodiscard]] int signal() const;

 private:
  struct sigaction before_interrupt_ = {};
  struct sigaction before_terminate_ = {};
};

}  // namespace harness
