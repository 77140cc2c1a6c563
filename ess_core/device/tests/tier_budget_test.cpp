#include "ess_core/device/tier_budget.h"

namespace ess {
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

}  // namespace
}  // namespace ess
