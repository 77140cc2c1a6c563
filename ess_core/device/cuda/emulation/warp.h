// Where the lanes of a warp meet. Internal to the stand-in.
#pragma once

#include <bit>

#include "ess_core/device/cuda/emulation/block.h"

namespace ess::emulation {

// The lanes that came to an operation; each left a request.
struct warp_lanes {
  block_thread* first;  // lane 0, whether it came or not
  std::uint32_t came;

  [[nodiscard]] bool has(std::uint32_t lane) const { return (came >> lane & 1) != 0; }
  template <class Request>
  [[nodiscard]] Request& request(std::uint32_t lane) const {
    return *static_cast<Request*>(first[lane].request);
  }
  template <class F>
  void for_each(F f) const {
    for (std::uint32_t left = came; left != 0; left &= left - 1)
      f(static_cast<std::uint32_t>(std::countr_zero(left)));
  }
};

struct warp_operation {
  const char* name;
  void (*finish)(const warp_lanes&);  // runs once, when all lanes came; answers the requests
};

// The running thread waits for the other lanes of `mask`, exited ones excepted, at the same operation.
void meet(const warp_operation& operation, std::uint32_t mask, void* request, call_site at);
// An exiting thread is no longer waited for.
void leave_warp(block_thread& t);

}  // namespace ess::emulation
