#include "ess_core/cache/hash_scan.h"

#include "ess_core/cache/owned_pool.h"

namespace ess::test {
namespace {

using testing::ElementsAre;

struct hash_scan_pool : owned_pool {
  explicit hash_scan_pool(std::size_t slots) : owned_pool(pool_kind::hash_scan, 1'000, slots) {}

  // One query token unless said otherwise. Keeps the answer in `out`, `where` and `misses`.
  void step(std::vector<token_id> ids, token_id first_new = 900, std::int32_t new_tokens = 0,
            std::int32_t queries = 1) {
    where.resize(ids.size());
    misses.resize(ids.size());
    out = {.locations = where, .misses = misses};
    resolve(view(),
            {.selected = ids, .query_tokens = queries, .first_new = first_new, .new_tokens = new_tokens},
            out);
  }
  // Tokens in the order in which they are given up; -1: a free slot.
  [[nodiscard]] std::vector<token_id> rows() const {
    std::vector<token_id> tokens;
    for (const slot_id slot : order) tokens.push_back(token_of[slot]);
    return tokens;
  }

  std::vector<row_location> where;
  std::vector<row_miss> misses;
  resolve_output out;
};

TEST(hash_scan, keeps_no_map_and_six_bytes_a_slot) {
  const pool_footprint each = footprint_of(pool_kind::hash_scan);
  EXPECT_EQ(each.bytes_per_token(), 0);
  EXPECT_EQ(each.bytes_per_slot(), 6);
}

TEST(hash_scan, writes_stale_rows_then_misses_then_new_tokens_then_hits) {
  hash_scan_pool pool(8);
  pool.step({1, 2, 3, 4, 5});
  EXPECT_THAT(pool.rows(), ElementsAre(-1, -1, -1, 1, 2, 3, 4, 5));
  pool.step({2, 7, 4, 8, 900}, 900, 1);
  EXPECT_EQ(pool.out.asked, 5);
  EXPECT_EQ(pool.out.missed, 2);
  EXPECT_THAT(pool.rows(), ElementsAre(1, 3, 5, 7, 8, 900, 2, 4));
  pool.step({4, 2, 9}, 901, 1);  // hits keep their old order; 1 and 3 leave
  EXPECT_THAT(pool.rows(), ElementsAre(5, 7, 8, 900, 9, 901, 2, 4));
}

TEST(hash_scan, a_row_asked_for_by_several_queries_is_fetched_once) {
  hash_scan_pool pool(8);
  pool.step({1, 2, 2, 3, 1, 900}, 900, 3, 3);
  EXPECT_EQ(pool.out.asked, 4);
  EXPECT_EQ(pool.out.missed, 3);
  EXPECT_EQ(pool.where[1], pool.where[2]);
  EXPECT_EQ(pool.where[0], pool.where[4]);
  EXPECT_EQ(pool.where[5], pool.header.new_rows[0]);
}

// Tokens 900 and 901 were drafts; the next step begins at 900 again.
TEST(hash_scan, rejected_drafts_give_up_their_slots_first) {
  hash_scan_pool pool(5);
  pool.step({1, 2, 3, -1}, 900, 2, 2);
  EXPECT_THAT(pool.rows(), ElementsAre(1, 2, 3, 900, 901));
  pool.step({1, 2, 3, -1}, 900, 2, 2);
  EXPECT_EQ(pool.out.missed, 0);
  EXPECT_THAT(pool.rows(), ElementsAre(900, 901, 1, 2, 3));
  EXPECT_EQ(pool.header.used, 5);
  pool.step({1, 2, 4, -1}, 901, 2, 2);  // 901 was rejected, 900 was not
  EXPECT_EQ(pool.out.missed, 1);
  EXPECT_THAT(pool.rows(), ElementsAre(4, 901, 902, 1, 2));
}

TEST(hash_scan, a_surplus_goes_to_staging_and_is_not_admitted) {
  hash_scan_pool pool(3);
  pool.step({1, 2, 3, 4}, 900, 1);
  EXPECT_THAT(pool.rows(), ElementsAre(3, 4, 900));
  EXPECT_EQ(pool.where[0], 3 | incoming_flag);
  EXPECT_EQ(pool.where[1], 4 | incoming_flag);
  EXPECT_LT(pool.misses[2].location, 3);
}

}  // namespace
}  // namespace ess::test
