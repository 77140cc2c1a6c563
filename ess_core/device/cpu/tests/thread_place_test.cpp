#include "ess_core/device/cpu/thread_place.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <thread>

namespace ess::cpu {
namespace {

// Of the calling thread; 0 where the kernel does not say: it begins to in the version that heeds the wish.
std::uint64_t slice_ns() {
  std::array<std::byte, 48> attributes{};  // sched_attr: sched_runtime at byte 24
  if (syscall(SYS_sched_getattr, 0, attributes.data(), attributes.size(), 0) != 0) return 0;
  std::uint64_t slice = 0;
  std::memcpy(&slice, &attributes[24], sizeof slice);
  return slice;
}

TEST(short_slices, are_granted_to_the_thread_that_asks) {
  const std::uint64_t usual = slice_ns();
  if (usual == 0) GTEST_SKIP() << "a kernel without slices of a thread's own";
  std::uint64_t asked = 0;
  std::thread([&] {
    ask_for_short_slices();
    asked = slice_ns();
  }).join();
  EXPECT_EQ(asked, 100'000u);
  EXPECT_EQ(slice_ns(), usual);
}

}  // namespace
}  // namespace ess::cpu
