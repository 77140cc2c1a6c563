#include "ess_core/cache/sparse_pool.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

namespace ess {
namespace {

// Owns the memory of one pool.
struct owned_pool {
  owned_pool(std::size_t tokens, std::size_t slots)
      : slot_of(tokens), token_of(slots), stamp(slots), older(slots), newer(slots) {
    reset(view());
  }
  pool_view view() { return {&header, slot_of, token_of, stamp, older, newer}; }

  pool_header header;
  std::vector<slot_id> slot_of;
  std::vector<token_id> token_of;
  std::vector<std::uint32_t> stamp;
  std::vector<slot_id> older, newer;
};

// The definition in words, as a list: resident tokens from the least to the most recently used.
struct naive_pool {
  std::size_t capacity;
  std::vector<token_id> order;

  struct result {
    std::set<token_id> missed, staged;
    std::size_t asked = 0;
  };

  bool holds(token_id token) const { return std::find(order.begin(), order.end(), token) != order.end(); }

  result step(const resolve_input& in) {
    const std::set<token_id> fresh = new_tokens(in);
    std::set<token_id> asked;
    std::vector<token_id> misses;
    std::size_t hits = 0;
    for (const token_id t : in.selected) {
      if (t < 0 || !asked.insert(t).second || fresh.contains(t)) continue;
      if (holds(t)) {
        ++hits;
      } else {
        misses.push_back(t);
      }
    }
    const std::size_t room = capacity - hits;
    const std::size_t wanted = misses.size() + fresh.size();
    const std::size_t surplus = wanted > room ? wanted - room : 0;
    result r{.missed = {misses.begin(), misses.end()}, .asked = asked.size()};
    for (std::size_t i = 0; i < std::min(surplus, misses.size()); ++i) r.staged.insert(misses[i]);
    std::size_t too_many = fresh.size() > room ? fresh.size() - room : 0;
    for (const token_id t : fresh) {
      if (too_many > 0) r.staged.insert(t), --too_many;
    }
    admit(uses(in, r.staged));
    return r;
  }

 private:
  static std::set<token_id> new_tokens(const resolve_input& in) {
    std::set<token_id> out;
    for (std::int32_t i = 0; i < in.new_tokens; ++i) out.insert(in.first_new + i);
    return out;
  }

  static std::vector<token_id> uses(const resolve_input& in, const std::set<token_id>& staged) {
    std::vector<token_id> out;
    const std::size_t k = in.selected.size() / static_cast<std::size_t>(in.query_tokens);
    for (std::int32_t q = 0; q < in.query_tokens; ++q) {
      if (q < in.new_tokens) out.push_back(in.first_new + q);
      for (std::size_t i = 0; i < k; ++i) out.push_back(in.selected[static_cast<std::size_t>(q) * k + i]);
    }
    std::erase_if(out, [&](token_id t) { return t < 0 || staged.contains(t); });
    return out;
  }

  void admit(const std::vector<token_id>& used) {
    for (const token_id t : used) std::erase(order, t), order.push_back(t);
    if (order.size() > capacity)
      order.erase(order.begin(), order.end() - static_cast<std::ptrdiff_t>(capacity));
  }
};

std::vector<token_id> use_order(owned_pool& pool) {
  std::vector<token_id> out;
  for (slot_id s = pool.header.oldest; s != 0xffff; s = pool.newer[s]) out.push_back(pool.token_of[s]);
  return out;
}

TEST(sparse_pool, an_empty_pool_misses_everything_and_then_holds_it) {
  owned_pool pool(100, 8);
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
  EXPECT_EQ(use_order(pool), (std::vector<token_id>{3, 7, 9}));
}

TEST(sparse_pool, a_new_token_is_resident_without_a_miss) {
  owned_pool pool(100, 8);
  const std::vector<token_id> ids = {3, 50};
  std::vector<row_location> where(2);
  std::vector<row_miss> misses(2);
  resolve_output out{.locations = where, .misses = misses};
  resolve(pool.view(), {.selected = ids, .first_new = 50, .new_tokens = 1}, out);
  EXPECT_EQ(out.asked, 2);
  EXPECT_EQ(out.missed, 1);
  EXPECT_EQ(where[1], pool.header.new_rows[0]);
}

// Random programs against the naive pool: misses, staging, order of use, and that no two rows share a place.
TEST(sparse_pool, equals_the_naive_pool_on_random_programs) {
  std::int64_t resolves = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 rng(seed);
    const std::size_t slots = 1 + rng() % 24;
    const std::size_t top_k = 1 + rng() % 12;
    const auto queries = static_cast<std::int32_t>(1 + rng() % max_query_tokens);
    const std::size_t tokens = 400;
    owned_pool pool(tokens, slots);
    naive_pool oracle{slots, {}};
    token_id length = static_cast<token_id>(20 + rng() % 30);
    std::vector<token_id> ids(top_k * static_cast<std::size_t>(queries));
    std::vector<row_location> where(ids.size());
    std::vector<row_miss> misses(ids.size());
    for (int step = 0; step < 60; ++step, ++resolves) {
      const std::int32_t fresh = rng() % 4 == 0 ? 0 : queries;
      for (std::int32_t q = 0; q < queries; ++q) {
        std::set<token_id> chosen;
        const token_id visible = fresh > 0 ? length + q + 1 : length;
        for (std::size_t i = 0; i < top_k; ++i) {
          chosen.insert(static_cast<token_id>(rng() % static_cast<unsigned>(visible)));
        }
        std::vector<token_id> row(chosen.begin(), chosen.end());
        row.resize(top_k, -1);
        std::copy(row.begin(), row.end(), ids.begin() + static_cast<std::ptrdiff_t>(top_k) * q);
      }
      const resolve_input in{
          .selected = ids, .query_tokens = queries, .first_new = length, .new_tokens = fresh};
      resolve_output out{.locations = where, .misses = misses};
      resolve(pool.view(), in, out);
      const auto want = oracle.step(in);
      ASSERT_EQ(static_cast<std::size_t>(out.asked), want.asked);
      std::set<token_id> missed;
      for (std::int32_t i = 0; i < out.missed; ++i) {
        const row_miss& miss = misses[static_cast<std::size_t>(i)];
        missed.insert(miss.token);
        ASSERT_EQ(miss.location >= static_cast<row_location>(slots), want.staged.contains(miss.token));
      }
      ASSERT_EQ(missed, want.missed);
      ASSERT_EQ(use_order(pool), oracle.order);
      std::map<row_location, token_id> held;
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (ids[i] < 0) continue;
        const row_location place = where[i] & ~incoming_flag;
        ASSERT_EQ((where[i] & incoming_flag) != 0, missed.contains(ids[i]));
        const auto [it, inserted] = held.emplace(place, ids[i]);
        ASSERT_EQ(it->second, ids[i]) << "two rows in place " << place;
      }
      length += fresh;
    }
  }
  EXPECT_GT(resolves, 10'000);
}

}  // namespace
}  // namespace ess
