#include "ess_core/base/random.h"

#include <cmath>
#include <vector>

namespace ess {
namespace {

// Known answer of Philox4x32-10 for an all-zero counter and key, from Random123's kat_vectors; only
// (seed 0, stream 0, purpose 0) reaches it, so the test casts its way there.
TEST(counter_rng, matches_the_published_known_answer) {
  const counter_rng rng(0, static_cast<purpose>(0));
  EXPECT_EQ(rng.block(0), (std::array<std::uint32_t, 4>{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}));
}

TEST(counter_rng, purposes_streams_and_seeds_differ) {
  const auto base = counter_rng(1, purpose::weights, 2).block(3);
  EXPECT_NE(base, counter_rng(2, purpose::weights, 2).block(3));
  EXPECT_NE(base, counter_rng(1, purpose::hidden_state, 2).block(3));
  EXPECT_NE(base, counter_rng(1, purpose::weights, 3).block(3));
  EXPECT_NE(base, counter_rng(1, purpose::weights, 2).block(4));
}

TEST(counter_rng, fill_has_zero_mean_and_unit_variance) {
  std::vector<float> values(80000);
  counter_rng(7, purpose::weights).fill_unit_variance(values, 0);
  double sum = 0;
  double squares = 0;
  for (const float v : values) {
    sum += v;
    squares += static_cast<double>(v) * v;
  }
  EXPECT_NEAR(sum / static_cast<double>(values.size()), 0.0, 0.02);
  EXPECT_NEAR(squares / static_cast<double>(values.size()), 1.0, 0.02);
}

TEST(counter_rng, a_fill_continues_where_blocks_say) {
  std::vector<float> whole(32);
  std::vector<float> tail(20);
  const counter_rng rng(7, purpose::latent_rows, 5);
  rng.fill_unit_variance(whole, 10);
  rng.fill_unit_variance(tail, 11);
  for (std::size_t i = 0; i < tail.size(); ++i) EXPECT_EQ(tail[i], whole[8 + i]);
}

TEST(counter_rng, below_stays_below_and_reaches_all_values) {
  const counter_rng rng(3, purpose::accuracy_sample);
  std::vector<int> seen(7);
  for (std::uint64_t i = 0; i < 700; ++i) ++seen.at(rng.below(7, i));
  for (const int count : seen) EXPECT_GT(count, 60);
}

}  // namespace
}  // namespace ess
