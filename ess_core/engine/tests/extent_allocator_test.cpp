#include "ess_core/engine/extent_allocator.h"

#include <random>
#include <vector>

namespace ess {
namespace {

TEST(extent_allocator, takes_gives_back_and_joins) {
  extent_allocator a(100);
  EXPECT_EQ(a.take(40), 0);
  EXPECT_EQ(a.take(40), 40);
  EXPECT_EQ(a.take(40), std::nullopt);
  a.give_back(0, 40);
  EXPECT_EQ(a.take(50), std::nullopt);  // 60 free, in two pieces
  a.give_back(40, 40);
  EXPECT_EQ(a.take(100), 0);
  EXPECT_EQ(a.free(), 0);
}

TEST(extent_allocator, nothing_needs_no_room) { EXPECT_EQ(extent_allocator(0).take(0), 0); }

TEST(extent_allocator, never_overlaps_and_never_loses_room) {
  std::mt19937 rng(11);
  extent_allocator a(1000);
  std::vector<std::pair<std::int64_t, std::int64_t>> held;
  std::vector<int> owner(1000);
  for (int i = 0; i < 5000; ++i) {
    if (rng() % 2 == 0 || held.empty()) {
      const auto length = static_cast<std::int64_t>(1 + rng() % 120);
      const auto at = a.take(length);
      if (!at) continue;
      for (std::int64_t k = *at; k < *at + length; ++k) ASSERT_EQ(owner[static_cast<std::size_t>(k)]++, 0);
      held.emplace_back(*at, length);
    } else {
      std::swap(held[rng() % held.size()], held.back());
      const auto [at, length] = held.back();
      held.pop_back();
      for (std::int64_t k = at; k < at + length; ++k) --owner[static_cast<std::size_t>(k)];
      a.give_back(at, length);
    }
  }
  for (const auto& [at, length] : held) a.give_back(at, length);
  EXPECT_EQ(a.free(), 1000);
  EXPECT_EQ(a.take(1000), 0);
}

}  // namespace
}  // namespace ess
