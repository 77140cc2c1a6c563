#include "ess_core/device/cpu/arena.h"

#include <cmath>
#include <cstring>

namespace ess::cpu {
namespace {

TEST(aligned_bytes, fresh_memory_reads_as_nan) {
  const aligned_bytes bytes(64);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % 64, 0u);
  float value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  EXPECT_TRUE(std::isnan(value));
}

}  // namespace
}  // namespace ess::cpu
