// Which accesses to memory happened before which, by barriers, warps and fences. Of a launch whose blocks run
// one after the other, which orders nothing. Internal to the checker.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

namespace ess::emulation {

// A thread of the launch: block x 1024 + index in the block.
using thread_id = std::uint32_t;
inline constexpr thread_id threads_a_block = 1024;
constexpr std::uint32_t block_of(thread_id t) { return t / threads_a_block; }

// A thread's accesses, up to a time of its own. Time passes where a thread makes its accesses known to
// others.
class knowledge {
 public:
  [[nodiscard]] bool covers(thread_id t, std::uint32_t time) const;
  // All accesses of a thread, of a block's threads, before `time`.
  void learn_thread(thread_id t, std::uint32_t time);
  void learn_block(std::uint32_t block, std::uint32_t time);
  void join(const knowledge& other);

 private:
  std::map<std::uint32_t, std::uint32_t> blocks_;
  std::map<thread_id, std::uint32_t> threads_;
};

class clocks {
 public:
  void begin_launch() { released_.clear(); }
  void begin_block(std::uint32_t block, std::size_t threads);
  // All threads of the block.
  void barrier();
  // Lanes of a warp, `first` being the index of lane 0.
  void lanes_meet(std::uint32_t first, std::uint32_t lanes);
  // As in C++: a fence and then an atomic publish what was before the fence; an atomic and then a fence hear
  // it. Kept by barriers: a thread publishes what others of its block fenced before a barrier.
  void fence(std::uint32_t index);
  void atomic(std::uint32_t index, std::uintptr_t address);

  [[nodiscard]] thread_id id(std::uint32_t index) const { return block_ * threads_a_block + index; }
  [[nodiscard]] std::uint32_t time(std::uint32_t index) const { return threads_[index].time; }
  // Whether thread `index` of the block that runs knows of it.
  [[nodiscard]] bool knows(std::uint32_t index, thread_id of, std::uint32_t time) const;

 private:
  using shared_knowledge = std::shared_ptr<const knowledge>;
  struct thread_clock {
    std::uint32_t time = 1;
    std::uint32_t block_known = 0;  // accesses of the block before this time
    shared_knowledge known;         // more; null: nothing
    shared_knowledge fenced;        // what an atomic publishes
    shared_knowledge heard;         // what a fence learns
  };
  static shared_knowledge join(const shared_knowledge& a, const shared_knowledge& b);

  std::uint32_t block_ = 0;
  std::vector<thread_clock> threads_;
  std::unordered_map<std::uintptr_t, shared_knowledge> released_;  // by address of the atomic
};

}  // namespace ess::emulation
