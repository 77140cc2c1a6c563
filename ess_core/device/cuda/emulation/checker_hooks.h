// What the stand-in tells the checker of memory accesses (checker.cpp), in programs that hold one.
#pragma once

#include "ess_core/device/cuda/emulation/block.h"

namespace ess::emulation {

enum class access_kind : std::uint8_t { read, write, atomic };

class access_checker {
 public:
  virtual ~access_checker() = default;
  virtual void launch_begins(const grid& g) = 0;
  virtual void block_begins(block& b) = 0;
  virtual void barrier_opens(block& b) = 0;
  // __syncwarp of these lanes.
  virtual void lanes_meet(block_thread* first_lane, std::uint32_t lanes) = 0;
  virtual void fence(block_thread& t) = 0;
  virtual void access(block_thread& t, const volatile void* p, std::size_t bytes, access_kind kind,
                      const void* program_counter) = 0;
};

extern access_checker* checker;  // null: nothing checks

}  // namespace ess::emulation
