// Which accesses to memory happened before which, by barriers, warps and fences. Of a launch whose blocks run
// one after the other, which orders nothing. Internal to the checker.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ess::emulation {

// A thread of the launch: block x 1024 + index in the block.
using thread_id = std::uint32_t;
inline constexpr thread_id threads_a_block = 1024;
constexpr std::uint32_t block_of(thread_id t) { return t / threads_a_block; }

// Of threads or blocks: accesses before a time of theirs are known. Time passes where a thread makes its
// accesses known to others.
class known_times {
 public:
  [[nodiscard]] std::uint32_t of(std::uint32_t who) const;  // 0: nothing
  void raise(std::uint32_t who, std::uint32_t time);
  void join(const known_times& other);
  // Forgets those in [begin, end) that know no more than `time`.
  void forget(std::uint32_t begin, std::uint32_t end, std::uint32_t time);

 private:
  std::vector<std::pair<std::uint32_t, std::uint32_t>> times_;  // by who
};

struct knowledge {
  known_times blocks, threads;

  [[nodiscard]] bool covers(thread_id t, std::uint32_t time) const {
    return time < blocks.of(block_of(t)) || time < threads.of(t);
  }
  void join(const knowledge& other) {
    blocks.join(other.blocks);
    threads.join(other.threads);
  }
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
  // What the threads of the block, or lanes of a warp, know together.
  shared_knowledge join_all(shared_knowledge thread_clock::*part, std::uint32_t first, std::uint32_t count,
                            std::uint32_t lanes) const;
  [[nodiscard]] shared_knowledge as_block(const shared_knowledge& fenced) const;

  std::uint32_t block_ = 0;
  std::vector<thread_clock> threads_;
  std::unordered_map<std::uintptr_t, shared_knowledge> released_;  // by address of the atomic
};

}  // namespace ess::emulation
