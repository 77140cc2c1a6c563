#include "ess_core/device/cuda/emulation/checker.h"

#include <cstring>

#include "ess_core/device/cuda/emulation/address_space.h"
#include "ess_core/device/cuda/emulation/shadow.h"
#include "ess_core/device/cuda/emulation/source_line.h"
#include "ess_core/device/cuda/emulation/stand_in.h"

namespace ess::emulation {
namespace {

const char* name_of(access_kind kind) {
  return kind == access_kind::read ? "read" : kind == access_kind::write ? "write" : "atomic";
}

std::string name_of_thread(thread_id id, const grid& g) {
  const std::uint32_t block = block_of(id), thread = id % threads_a_block;
  const auto triple = [](std::uint32_t i, dim3 size) {
    return "(" + std::to_string(i % size.x) + "," + std::to_string(i / size.x % size.y) + "," +
           std::to_string(i / size.x / size.y) + ")";
  };
  return "thread " + triple(thread, g.block_size) + " of block " + triple(block, g.size);
}

// What an access is, without its thread.
struct access_at {
  std::uintptr_t at;
  std::size_t bytes;
  access_kind kind;
  const void* program_counter;
};

std::string in_words(const access_at& a) {
  return std::string(name_of(a.kind)) + " of " + std::to_string(a.bytes) + " bytes at " +
         source_of(a.program_counter);
}

class memory_checker final : public access_checker {
 public:
  void launch_begins(const grid&) override {
    seen_.clear();
    order_.begin_launch();
  }
  void block_begins(block& b) override {
    order_.begin_block(static_cast<std::uint32_t>(b.linear_index), b.threads.size());
  }
  void barrier_opens(block&) override { order_.barrier(); }
  void lanes_meet(block_thread* first_lane, std::uint32_t lanes) override {
    order_.lanes_meet(first_lane->index, lanes);
  }
  void fence(block_thread& t) override { order_.fence(t.index); }

  void access(block_thread& t, const volatile void* p, std::size_t bytes, access_kind kind,
              const void* program_counter) override {
    const access_at a{reinterpret_cast<std::uintptr_t>(p), bytes, kind, program_counter};
    const space where = space_of(t, a.at, bytes);
    if (where == space::own || (where == space::constant && kind == access_kind::read)) return;
    if (where > space::global || where == space::constant) {
      abandon(t, cudaErrorIllegalAddress, in_words(a) + ": " + describe(t, a.at, where));
    }
    for (std::uintptr_t granule = a.at & ~std::uintptr_t{7}; granule < a.at + bytes; granule += 8) {
      check_granule(t, a, where, granule);
    }
    if (kind == access_kind::atomic) order_.atomic(t.index, a.at);
  }

 private:
  void check_granule(block_thread& t, const access_at& a, space where, std::uintptr_t granule) {
    shadow_cell& cell = seen_.cell(granule);
    if (where != space::global && cell.block != t.home->linear_index) {
      cell = {.block = static_cast<std::uint32_t>(t.home->linear_index)};
    }
    const std::uintptr_t begin = std::max(a.at, granule), end = std::min(a.at + a.bytes, granule + 8);
    const auto bytes = static_cast<std::uint8_t>((0xffu >> (8 - (end - begin))) << (begin - granule));
    if (where == space::static_shared) spoil_unwritten(cell, granule, bytes);
    const past_access now{order_.id(t.index), order_.time(t.index), a.program_counter, bytes, a.kind};
    if (const auto other = add_access(cell, now, t.index, order_)) {
      abandon(t, cudaErrorLaunchFailure,
              "race on " + describe(t, begin, where) + ": " + in_words(a) + ", and " + name_of(other->kind) +
                  " by " + name_of_thread(other->thread, *t.home->of) + " at " +
                  source_of(other->program_counter));
    }
  }

  // What a block finds in its shared memory is not to be relied on.
  static void spoil_unwritten(shadow_cell& cell, std::uintptr_t granule, std::uint8_t bytes) {
    for (unsigned i = 0; i < 8; ++i) {
      if ((bytes & ~cell.written) >> i & 1) std::memset(reinterpret_cast<void*>(granule + i), 0xff, 1);
    }
    cell.written |= bytes;
  }

  clocks order_;
  shadow seen_;
};

}  // namespace

void install_checker() {
  if (checker == nullptr) checker = new memory_checker;
}

}  // namespace ess::emulation
