#include "ess_core/device/cpu/kernels/select_topk.h"

#include <bit>
#include <limits>

#include "ess_core/device/cpu/kernels/tests/test_data.h"
#include "ess_core/reference/indexer.h"

namespace ess::cpu {
namespace {

std::vector<std::int32_t> select(const std::vector<float>& scores, int k) {
  const auto n = static_cast<std::int32_t>(scores.size());
  const test::scratch_memory scratch(select_topk_scratch_bytes(n));
  std::vector<std::int32_t> ids(static_cast<std::size_t>(k) + 1, 777);
  select_topk({.scores = scores.data(), .n = n, .k = k, .ids = ids.data(), .scratch = scratch.data()});
  EXPECT_EQ(ids.back(), 777) << "wrote beyond k";
  ids.pop_back();
  return ids;
}

void expect_reference(const std::vector<float>& scores, int k) {
  ASSERT_EQ(select(scores, k), reference::select_top_k(std::span(scores), k))
      << "k " << k << " of " << scores.size();
}

TEST(select_topk, random_scores_of_all_sizes) {
  for (const std::size_t n : {0, 1, 2, 15, 16, 17, 63, 100, 1000, 4096, 5001, 20000})
    for (const int k : {1, 2, 16, 17, 256, 2048}) expect_reference(test::random_floats(n, 1), k);
}

TEST(select_topk, large_enough_to_sample) {
  const auto scores = test::random_floats(131072, 2);
  for (const int k : {1, 256, 2048, 70000, 131071, 131072, 131073}) expect_reference(scores, k);
}

TEST(select_topk, ties_go_to_the_smaller_id) {
  const counter_rng rng(3, purpose::microbenchmark);
  for (const int values : {1, 2, 5, 50}) {
    for (const std::size_t n : {40, 1000, 40000}) {
      std::vector<float> scores(n);
      for (std::size_t i = 0; i < n; ++i) scores[i] = static_cast<float>(rng.below(values, i)) - 2.0f;
      for (const int k : {1, 16, 31, 500}) expect_reference(scores, k);
    }
  }
}

TEST(select_topk, all_equal_takes_the_first) {
  const auto ids = select(std::vector<float>(100000, 0.25f), 3);
  EXPECT_EQ(ids, (std::vector<std::int32_t>{0, 1, 2}));
}

TEST(select_topk, zeros_of_both_signs_are_equal) {
  EXPECT_EQ(select({-0.0f, 0.0f, -1.0f, -0.0f, 0.0f}, 2), (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(select({0.0f, -0.0f, -1.0f, 1.0f, 0.0f}, 3), (std::vector<std::int32_t>{0, 1, 3}));
}

TEST(select_topk, nan_counts_as_minus_infinity) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(select({nan, -inf, -nan, -1e38f, inf}, 3), (std::vector<std::int32_t>{0, 3, 4}));
  EXPECT_EQ(select({-inf, nan, 1.0f}, 2), (std::vector<std::int32_t>{0, 2}));
}

// Every exponent, subnormals, infinities and NaNs, as random bit patterns.
TEST(select_topk, any_bit_pattern) {
  const counter_rng rng(4, purpose::microbenchmark);
  for (const std::size_t n : {33, 3000, 60000}) {
    std::vector<float> scores(n);
    for (std::size_t i = 0; i < n; ++i)
      scores[i] = std::bit_cast<float>(static_cast<std::uint32_t>(rng.below(std::uint64_t{1} << 32, i)));
    for (const int k : {1, 7, 32, 2047}) expect_reference(scores, k);
  }
}

// Orders that mislead a sample: sorted both ways, and all large scores where a regular sample does not look.
TEST(select_topk, adverse_orders) {
  std::vector<float> scores(65536);
  for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = static_cast<float>(i);
  expect_reference(scores, 2048);
  std::ranges::reverse(scores);
  expect_reference(scores, 2048);
  for (const std::size_t period : {16, 32, 64, 128, 256}) {
    for (std::size_t i = 0; i < scores.size(); ++i)
      scores[i] = static_cast<float>(i % 1000) + (i % period == 0 ? 5000.0f : 0.0f);
    expect_reference(scores, 300);
    for (std::size_t i = 0; i < scores.size(); ++i)
      scores[i] = static_cast<float>(i % 1000) + (i % period == period - 1 ? 5000.0f : 0.0f);
    expect_reference(scores, 2048);
  }
}

}  // namespace
}  // namespace ess::cpu
