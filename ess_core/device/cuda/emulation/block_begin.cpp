// What a block has before its first thread runs: stacks, shared memory, warps.
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <system_error>

#include "ess_core/device/cuda/emulation/block.h"
#include "ess_core/device/cuda/emulation/checker_hooks.h"
#include "ess_core/device/cuda/emulation/sanitizers.h"
#include "ess_core/device/cuda/emulation/stand_in.h"

namespace ess::emulation {
namespace {

constexpr std::size_t page = 4096;

std::byte* map_memory(std::size_t bytes) {
  void* const p =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "stacks of CUDA threads");
  return static_cast<std::byte*>(p);
}

// Address space for the largest block; what is not touched costs nothing.
void map_stacks(block& b) {
  b.stack_bytes = address_sanitizer() || checker != nullptr ? 256 * 1024 : 64 * 1024;
  b.stacks = map_memory(most_threads * b.stack_bytes);
  for (std::size_t i = 0; i < most_threads; ++i) mprotect(b.stacks + i * b.stack_bytes, page, PROT_NONE);
  std::byte* const shared = map_memory(most_shared + 2 * page);
  mprotect(shared, page, PROT_NONE);
  b.shared_end = shared + page + most_shared;
  mprotect(b.shared_end, page, PROT_NONE);
}

void begin_warps(block& b) {
  b.warps.resize(static_cast<std::size_t>(b.size + 31) / 32);
  for (std::size_t i = 0; i < b.warps.size(); ++i) {
    const int lanes = std::min(32, b.size - static_cast<int>(i) * 32);
    b.warps[i].alive = ~std::uint32_t{0} >> (32 - lanes);
    b.warps[i].meetings = 0;
  }
}

void begin_shared(block& b) {
  std::byte* const begin = shared_memory(b);
  const std::size_t bytes = b.of->shared_bytes;
  unpoison(b.shared_end - most_shared, most_shared);
  if (stand_in_settings().fill) std::memset(begin, 0xff, bytes);
  poison(b.shared_end - most_shared, static_cast<std::size_t>(begin - (b.shared_end - most_shared)));
  if (address_sanitizer()) {
    const std::size_t used = (bytes + 7) / 8 * 8;  // what AddressSanitizer can tell apart
    poison(begin + used, static_cast<std::size_t>(b.shared_end - begin) - used);
  }
}

void begin_thread(block& b, std::size_t i) {
  const dim3& size = b.of->block_size;
  const auto at = static_cast<unsigned>(i);
  block_thread& t = b.threads[i];
  t.thread_index = {at % size.x, at / size.x % size.y, at / size.x / size.y};
  t.lane = at % 32;
  t.block_index = &b.index;
  t.block_size = &size;
  t.grid_size = &b.of->size;
  t.home = &b;
  t.index = static_cast<std::uint16_t>(i);
  t.spins = t.copy_groups = 0;
  t.copies.clear();
  std::byte* const stack = b.stacks + i * b.stack_bytes + page;
  unpoison(stack, b.stack_bytes - page);
  prepare(t.context, stack, b.stack_bytes - page, run_thread);
  make_ready(t);
}

}  // namespace

void begin_block(block& b, grid& g, std::uint64_t linear_index) {
  const auto seed = stand_in_settings().seed;
  if (b.stacks == nullptr) map_stacks(b);
  b.of = &g;
  b.linear_index = linear_index;
  b.index = {static_cast<unsigned>(linear_index % g.size.x),
             static_cast<unsigned>(linear_index / g.size.x % g.size.y),
             static_cast<unsigned>(linear_index / g.size.x / g.size.y)};
  b.size = b.alive = static_cast<int>(g.block_size.x * g.block_size.y * g.block_size.z);
  b.threads.resize(static_cast<std::size_t>(b.size));
  b.barrier = {};
  b.ready.resize(std::bit_ceil(static_cast<std::size_t>(b.size)));
  b.ready_begin = b.ready_end = b.idle_yields = 0;
  b.until_switch = 0;
  b.random = seed ? (*seed * 0x9E3779B97F4A7C15u + linear_index * 0xBF58476D1CE4E5B9u) | 1 : 0;
  b.main.home = &b;
  begin_warps(b);
  begin_shared(b);
  for (std::size_t i = 0; i < b.threads.size(); ++i) begin_thread(b, i);
  if (checker != nullptr) checker->block_begins(b);
}

}  // namespace ess::emulation
