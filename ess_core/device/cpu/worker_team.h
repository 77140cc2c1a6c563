// The threads of the compute stream. Work is split into fixed parts, so results do not depend on how many
// there are.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace ess::cpu {

class worker_team {
 public:
  // `threads` counts the caller. If there is a core for each, from the `first` usable one on, the others stay
  // on theirs.
  explicit worker_team(int threads, int first = 0);
  ~worker_team();
  worker_team(const worker_team&) = delete;
  worker_team& operator=(const worker_team&) = delete;

  // Calls work(part, thread) for every part in 0 .. parts - 1; returns when all are done. `work` must not
  // throw.
  void for_each(std::int32_t parts, const std::function<void(std::int32_t part, int thread)>& work);
  [[nodiscard]] int threads() const;
  // The core that the caller ought to stay on during its work; none if there are fewer cores than threads, or
  // no other threads.
  [[nodiscard]] std::optional<int> core_of_caller() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace ess::cpu
