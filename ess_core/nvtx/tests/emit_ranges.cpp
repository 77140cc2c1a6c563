// What nvtx_test.cpp runs under the recording tool.
#include <string>
#include <thread>

#include "ess_core/nvtx/nvtx.h"

namespace nvtx = ess::nvtx;

int main() {
  const nvtx::scoped_range point("point");
  for (int step = 0; step < 2; ++step) {
    const nvtx::scoped_range range("step " + std::to_string(step));
    const nvtx::scoped_range fetch("fetch", {.layer = 60, .rows = 17, .bytes = 17 * 656});
  }
  std::thread([] {
    const nvtx::scoped_range copy("copy stream", {.layer = 3, .rows = -1, .bytes = 1LL << 40});
  }).join();
  return nvtx::attached() ? 0 : 3;
}
