// Rows that come ahead between steps, against LRU as a list.
#include <random>
#include <utility>

#include "ess_core/cache/tests/naive_pool.h"
#include "ess_core/cache/owned_pool.h"

namespace ess::test {
namespace {

constexpr token_id longest = 120;

// LRU as a list, oldest first.
class lru_list final : public naive_policy {
 public:
  void forget(token_id token) override { std::erase(rows, token); }
  void hit(token_id) override {}
  token_id evict(const tokens& used, const std::vector<float>&) override {
    const auto victim = oldest_but(used);
    const token_id token = *victim;
    rows.erase(victim);
    return token;
  }
  void admit(token_id token) override { rows.push_back(token); }
  void use(token_id token) override { std::erase(rows, token), rows.push_back(token); }
  [[nodiscard]] tokens held() const override { return rows; }

  [[nodiscard]] tokens::iterator oldest_but(const tokens& used) {
    return std::ranges::find_if(rows, [&](token_id t) { return !contains(used, t); });
  }

  tokens rows;
};

class program {
 public:
  explicit program(unsigned seed)
      : rng_(seed), slots_(2 + rng_() % 20), top_k_(1 + rng_() % 8), pool_(pool_kind::lru, longest, slots_) {}

  // False when the context is full.
  bool step() {
    if (length_ + 1 > longest) return false;
    resolve_next();
    for (auto i = rng_() % 6; i > 0; --i)
      fetch_ahead(static_cast<token_id>(rng_() % static_cast<unsigned>(length_)));
    ++length_;
    return !testing::Test::HasFailure();
  }

 private:
  void resolve_next() {
    tokens ids;
    for (std::size_t i = 0; i < top_k_; ++i)
      ids.push_back(static_cast<token_id>(rng_() % static_cast<unsigned>(length_ + 1)));
    std::ranges::sort(ids);
    std::fill(std::unique(ids.begin(), ids.end()), ids.end(), -1);
    const resolve_input in{.selected = ids, .first_new = length_, .new_tokens = 1};
    std::vector<row_location> where(ids.size());
    std::vector<row_miss> misses(ids.size());
    resolve_output out{.locations = where, .misses = misses};
    const tokens before = naive_.held();
    resolve(pool_.view(), in, out);
    const naive_result want = naive_step(naive_, slots_, in);
    ASSERT_EQ(static_cast<std::size_t>(out.missed), want.missed.size());

    std::int32_t used = 0;
    in_use_ = {length_};
    for (const token_id id : ids) {
      if (id < 0) continue;
      in_use_.push_back(id);
      if (contains(before, id)) used += static_cast<std::int32_t>(std::erase(unasked_, id));
    }
    const auto lost =
        std::erase_if(unasked_, [&](token_id token) { return !contains(naive_.held(), token); });
    ASSERT_EQ(out.ahead.used, used);
    ASSERT_EQ(out.ahead.lost, static_cast<std::int32_t>(lost));
    compare();
  }

  void fetch_ahead(token_id token) {
    tokens& rows = naive_.rows;
    const bool full = rows.size() == slots_;
    const auto victim = full ? naive_.oldest_but(in_use_) : rows.end();
    const bool comes = !contains(rows, token) && (!full || victim != rows.end());
    std::int32_t lost = 0;
    if (comes) {
      if (full) lost = static_cast<std::int32_t>(std::erase(unasked_, std::exchange(*victim, token)));
      if (!full) rows.push_back(token);
      in_use_.push_back(token);
      unasked_.push_back(token);
    }
    std::int32_t got_lost = 0;
    const auto slot = admit_ahead(pool_.view(), token, got_lost);
    ASSERT_EQ(slot.has_value(), comes);
    ASSERT_EQ(got_lost, lost);
    if (slot) {
      ASSERT_EQ(pool_.token_of[*slot], token);
    }
    compare();
  }

  void compare() {
    tokens held(pool_.token_of.begin(), pool_.token_of.begin() + pool_.header.used);
    tokens want = naive_.held();
    std::ranges::sort(held);
    std::ranges::sort(want);
    ASSERT_EQ(held, want);
  }

  std::mt19937 rng_;
  std::size_t slots_, top_k_;
  owned_pool pool_;
  lru_list naive_;
  token_id length_ = 10;
  tokens in_use_;   // by the last step, or since it
  tokens unasked_;  // came ahead
};

TEST(prefetch, equals_lru_as_a_list_on_random_programs) {
  for (unsigned seed = 0; seed < 1'000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    program p(seed);
    while (p.step()) {
    }
    if (testing::Test::HasFailure()) return;
  }
}

TEST(prefetch, is_for_lru_only) {
  owned_pool pool(pool_kind::clock, 50, 4);
  std::int32_t lost = 0;
  EXPECT_THROW((void)admit_ahead(pool.view(), 3, lost), std::invalid_argument);
}

}  // namespace
}  // namespace ess::test
