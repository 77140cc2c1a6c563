#include "ess_core/device/cpu/arena.h"

#include <cmath>
#include <cstring>

namespace ess::cpu {
namespace {

TEST(tier_budget, refuses_what_does_not_fit_and_counts_nothing) {
  tier_budget budget(memory_tier::device, byte_count{1000});
  budget.take("keys", byte_count{700});
  try {
    budget.take("rows", byte_count{301});
    FAIL() << "took more than there is";
  } catch (const out_of_memory& e) {
    EXPECT_EQ(e.tier, memory_tier::device);
    EXPECT_EQ(e.asked, byte_count{301});
    EXPECT_STREQ(e.what(), "device tier: rows needs 301 B where 300 B of 1.0 kB are left");
  }
  EXPECT_EQ(budget.used(), byte_count{700});
  EXPECT_NO_THROW(budget.take("rows", byte_count{300}));
}

TEST(tier_budget, zero_is_no_limit) {
  tier_budget budget(memory_tier::host, byte_count{0});
  EXPECT_NO_THROW(budget.take("store", byte_count{std::int64_t{1} << 50}));
}

TEST(aligned_bytes, fresh_memory_reads_as_nan) {
  const aligned_bytes bytes(64);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % 64, 0u);
  float value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  EXPECT_TRUE(std::isnan(value));
}

}  // namespace
}  // namespace ess::cpu
