// A block of CUDA threads and its scheduler. A thread runs until it has to wait for others; then the next
// that is ready runs, in turn or, with a seed, any. Internal to the stand-in.
#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "ess_core/device/cuda/emulation/cuda_runtime.h"
#include "ess_core/device/cuda/emulation/fiber.h"
#include "ess_core/device/cuda/emulation/kernel_calls.h"

namespace ess::emulation {

struct block;
struct warp_operation;

// One launch of a kernel, while it runs.
struct grid {
  void (*entry)(const void* kernel, const void* params);
  const void* kernel;
  const void* params;
  dim3 size, block_size;
  std::size_t shared_bytes;  // dynamic

  std::atomic<std::uint64_t> next_block{0};
  std::atomic<bool> failed{false};
  std::mutex failure;  // guards what follows
  cudaError_t error = cudaSuccess;
  std::string report;
};

struct async_copy {
  void* to;
  const void* from;
  std::uint32_t bytes;
  int group;
};

enum class thread_state : std::uint8_t { ready, in_warp, at_barrier, exited };

struct block_thread : thread_view {
  fiber context;
  block* home = nullptr;
  std::uint16_t index = 0;  // in the block
  thread_state state = thread_state::ready;
  int spins = 0;                   // atomics since it last waited
  call_site waits_at{};            // while it waits
  std::uint32_t waits_for = 0;     // lanes, of a warp operation
  void* request = nullptr;         // of a warp operation
  int copy_groups = 0;             // committed
  std::vector<async_copy> copies;  // not landed
};

// Lanes of a warp that wait for one another.
struct warp_meeting {
  std::uint32_t mask, arrived;
  const warp_operation* operation;
  call_site at;
};
struct warp {
  std::uint32_t alive = 0;
  int meetings = 0;
  std::array<warp_meeting, 32> meeting;
};

struct block_barrier {
  int arrived = 0;
  int predicates = 0;  // that held
  int result = 0;      // of the last time it opened
  barrier_kind kind{};
  call_site at{};
};

struct block {
  grid* of = nullptr;
  uint3 index{};
  std::uint64_t linear_index = 0;
  int size = 0;  // threads
  int alive = 0;
  std::vector<block_thread> threads;
  std::vector<warp> warps;
  block_barrier barrier;

  std::vector<std::uint16_t> ready;  // ring; its size is a power of two
  std::uint32_t ready_begin = 0, ready_end = 0;
  std::uint64_t random = 0;       // 0: in turn
  std::uint32_t idle_yields = 0;  // since anything but a yield happened
  int until_switch = 0;           // accesses

  block_thread main;            // who runs the block
  std::byte* stacks = nullptr;  // guard page and stack, for each thread
  std::size_t stack_bytes = 0;
  std::byte* shared_end = nullptr;  // of dynamic shared memory; a guard page follows
};

// Makes block `linear_index` of the grid ready to run.
void begin_block(block& b, grid& g, std::uint64_t linear_index);
// What its fibers do.
void run_thread();
// Runs the block on this OS thread.
void run_block(block& b, grid& g, std::uint64_t linear_index);

// The running CUDA thread, or the program ends: `what` was called outside a kernel.
block_thread& running_thread(const char* what, call_site at);
inline block_thread* running_thread() { return static_cast<block_thread*>(current); }

void make_ready(block_thread& t);
// The running thread waits until another makes it ready.
void suspend(block_thread& t);
// The running thread polls: others run first. It fails if nothing else happens for long.
void spin(block_thread& t);
// Called before an access to memory: with a seed, others may run first.
void may_switch(block_thread& t);
std::uint64_t next_random(std::uint64_t& state);
// Whether the settings leave out what stands here.
bool is_dropped(call_site at);
inline constexpr int spins_before_yield = 64;
inline constexpr std::size_t most_threads = 1024;
inline constexpr std::size_t most_shared = 256 * 1024;  // bytes, more than a GPU has

inline std::byte* shared_memory(const block& b) {
  return b.shared_end - (b.of->shared_bytes + 127) / 128 * 128;
}

// Ends the kernel; the first report counts. fail() unwinds the running thread and says that t failed.
void record_failure(grid& g, cudaError_t error, const std::string& report);
[[noreturn]] void fail(block_thread& t, cudaError_t error, const std::string& what);
// As fail, without unwinding the running thread t: from signal handlers and from calls that compilers believe
// never to throw.
[[noreturn]] void abandon(block_thread& t, cudaError_t error, const std::string& what);
// "kernel.cu:12"
std::string to_string(call_site at);
std::string hex(std::uint64_t value);
// "thread (1,2,0) of block (3,0,0)"
std::string name_of(const block_thread& t);

}  // namespace ess::emulation
