#include "ess_core/cache/sparse_pool.h"

#include <vector>

#include "ess_core/cache/owned_pool.h"

namespace ess::test {
namespace {

TEST(sparse_pool, an_empty_pool_misses_everything_and_then_holds_it) {
  owned_pool pool(pool_kind::lru, 100, 8);
  const std::vector<token_id> ids = {3, 7, 9, -1};
  std::vector<row_location> where(4);
  std::vector<row_miss> misses(4);
  resolve_output out{.locations = where, .misses = misses};
  resolve(pool.view(), {.selected = ids}, out);
  EXPECT_EQ(out.asked, 3);
  EXPECT_EQ(out.missed, 3);
  EXPECT_TRUE(where[0] & incoming_flag);
  EXPECT_EQ(where[3], no_location);
  resolve(pool.view(), {.selected = ids}, out);
  EXPECT_EQ(out.missed, 0);
  EXPECT_FALSE(where[0] & incoming_flag);
}

TEST(sparse_pool, a_new_token_is_resident_without_a_miss) {
  owned_pool pool(pool_kind::lru, 100, 8);
  const std::vector<token_id> ids = {3, 50};
  std::vector<row_location> where(2);
  std::vector<row_miss> misses(2);
  resolve_output out{.locations = where, .misses = misses};
  resolve(pool.view(), {.selected = ids, .first_new = 50, .new_tokens = 1}, out);
  EXPECT_EQ(out.asked, 2);
  EXPECT_EQ(out.missed, 1);
  EXPECT_EQ(where[1], pool.header.new_rows[0]);
}

TEST(pool_kind, names_round_trip) {
  for (int i = 0; i < pool_kind_count; ++i) {
    const auto kind = static_cast<pool_kind>(i);
    EXPECT_EQ(parse_pool_kind(to_string(kind)), kind);
  }
  EXPECT_FALSE(parse_pool_kind("lfu").has_value());
}

}  // namespace
}  // namespace ess::test
