// What holds for every kind of pool: random programs against the definition in words.
#include <random>

#include "ess_core/cache/tests/naive_pool.h"
#include "ess_core/cache/owned_pool.h"

namespace ess::test {
namespace {

constexpr token_id longest = 96;

// A request that decodes: query tokens, growth, rejected drafts, and rows that say whose they are.
class program {
 public:
  program(pool_kind kind, unsigned seed)
      : rng_(seed),
        slots_(1 + rng_() % 20),
        top_k_(1 + rng_() % 10),
        queries_(static_cast<std::int32_t>(1 + rng_() % max_query_tokens)),
        pool_(kind, longest, slots_),
        ids_(top_k_ * static_cast<std::size_t>(queries_)),
        where_(ids_.size()),
        misses_(ids_.size()),
        rows_(slots_ + ids_.size() + max_query_tokens) {}

  // Another request takes over pool and rows, which hold what the one before it left, or worse.
  void admit_request(std::int32_t request) {
    request_ = request;
    length_ = static_cast<token_id>(1 + rng_() % 40);
    draws_ = counter_rng(rng_(), purpose::eviction);
    if (rng_() % 2 == 0) pool_.poison(static_cast<std::uint16_t>(rng_()));
    reset(pool_.view());
    naive_ = make_naive_policy(pool_.kind, draws_, first_draw());
    made_in_.assign(longest, 0);
  }

  // False when the context is full.
  bool step() {
    const std::int32_t fresh = rng_() % 5 == 0 ? 0 : queries_;
    if (length_ + queries_ > longest) return false;
    ++steps_;
    select(fresh);
    const resolve_input in{.selected = ids_,
                           .query_tokens = queries_,
                           .first_new = length_,
                           .new_tokens = fresh,
                           .scores = scores_,
                           .draws = draws_,
                           .first_draw = first_draw()};
    resolve_output out{.locations = where_, .misses = misses_};
    resolve(pool_.view(), in, out);
    compare(naive_step(*naive_, slots_, in), out);
    move_rows(in, out);
    // Drafts are accepted up to some place; those behind it are made again in a later step.
    if (fresh > 0) length_ += static_cast<token_id>(1 + rng_() % static_cast<unsigned>(fresh));
    return !testing::Test::HasFailure();
  }

 private:
  struct row {
    std::int32_t request = -1;
    token_id token = -1;
    std::int32_t made_in = -1;  // the step that appended the token, since a draft and its replacement differ
    friend bool operator==(row, row) = default;
  };

  [[nodiscard]] std::uint64_t first_draw() const { return static_cast<std::uint64_t>(request_) << 32; }

  void select(std::int32_t fresh) {
    scores_.resize(longest);
    for (float& score : scores_) score = static_cast<float>(rng_() % 32);  // with ties
    for (std::int32_t q = 0; q < queries_; ++q) {
      const auto visible = static_cast<unsigned>(fresh > 0 ? length_ + q + 1 : length_);
      const auto first = ids_.begin() + static_cast<std::ptrdiff_t>(top_k_) * q;
      const unsigned most = rng_() % 2 == 0 ? visible : std::min(visible, 16u);  // all, or a hot region
      for (std::size_t i = 0; i < top_k_; ++i)
        first[static_cast<std::ptrdiff_t>(i)] = static_cast<token_id>(rng_() % most);
      const auto end = first + static_cast<std::ptrdiff_t>(top_k_);
      std::sort(first, end);
      std::fill(std::unique(first, end), end, -1);
    }
  }

  void compare(const naive_result& want, const resolve_output& out) {
    ASSERT_EQ(static_cast<std::size_t>(out.asked), want.asked);
    ASSERT_EQ(static_cast<std::size_t>(out.missed), want.missed.size());
    for (std::size_t i = 0; i < want.missed.size(); ++i) {
      ASSERT_EQ(misses_[i].token, want.missed[i]);
      ASSERT_EQ(misses_[i].location >= static_cast<row_location>(slots_),
                contains(want.staged, want.missed[i]));
    }
    tokens held(pool_.token_of.begin(), pool_.token_of.begin() + pool_.header.used);
    tokens expected = naive_->held();
    std::sort(held.begin(), held.end());
    std::sort(expected.begin(), expected.end());
    ASSERT_EQ(held, expected);
    std::size_t mapped = 0;
    for (const slot_id slot : pool_.slot_of) mapped += slot < slots_ ? 1 : 0;
    ASSERT_EQ(mapped, pool_.slot_of.empty() ? 0 : held.size());
  }

  [[nodiscard]] row row_of(token_id token) const {
    return {request_, token, made_in_.at(static_cast<std::size_t>(token))};
  }

  // Rows arrive where the pool says; every id must then find its own row of its own request.
  void move_rows(const resolve_input& in, const resolve_output& out) {
    for (std::int32_t i = 0; i < out.missed; ++i) {
      const row_miss& miss = misses_[static_cast<std::size_t>(i)];
      rows_.at(static_cast<std::size_t>(miss.location)) = row_of(miss.token);
    }
    for (std::int32_t n = 0; n < in.new_tokens; ++n) {
      const token_id token = in.first_new + n;
      made_in_.at(static_cast<std::size_t>(token)) = steps_;
      rows_.at(static_cast<std::size_t>(pool_.header.new_rows[static_cast<std::size_t>(n)])) = row_of(token);
    }
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      if (ids_[i] < 0) {
        ASSERT_EQ(where_[i], no_location);
        continue;
      }
      bool missed = false;
      for (std::int32_t m = 0; m < out.missed; ++m)
        missed |= misses_[static_cast<std::size_t>(m)].token == ids_[i];
      ASSERT_EQ((where_[i] & incoming_flag) != 0, missed);
      ASSERT_EQ(rows_.at(static_cast<std::size_t>(where_[i] & ~incoming_flag)), row_of(ids_[i]));
    }
  }

  std::mt19937 rng_;
  std::size_t slots_, top_k_;
  std::int32_t queries_;
  owned_pool pool_;
  tokens ids_;
  std::vector<row_location> where_;
  std::vector<row_miss> misses_;
  std::vector<row> rows_;
  std::vector<float> scores_;
  std::unique_ptr<naive_policy> naive_;
  counter_rng draws_{0, purpose::eviction};
  std::int32_t request_ = 0;
  token_id length_ = 0;
  std::int32_t steps_ = 0;
  std::vector<std::int32_t> made_in_;  // [tokens]
};

class every_policy : public testing::TestWithParam<pool_kind> {};

TEST_P(every_policy, equals_its_definition_on_random_programs) {
  std::int64_t resolves = 0;
  for (unsigned seed = 0; resolves < 145'000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    program p(GetParam(), seed);
    for (std::int32_t request = 0; request < 4; ++request) {
      p.admit_request(request);
      while (p.step()) ++resolves;
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(pool, every_policy,
                         testing::Values(pool_kind::lru, pool_kind::fifo, pool_kind::random, pool_kind::clock,
                                         pool_kind::sieve, pool_kind::score_aware, pool_kind::hash_scan),
                         [](const auto& kind) { return std::string(to_string(kind.param)); });

}  // namespace
}  // namespace ess::test
