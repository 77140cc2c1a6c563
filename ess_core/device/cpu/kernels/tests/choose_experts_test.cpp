#include "ess_core/device/cpu/kernels/choose_experts.h"

#include <cmath>

#include "ess_core/device/cpu/kernels/tests/test_data.h"
#include "ess_core/reference/experts.h"

namespace ess::cpu {
namespace {

constexpr moe_dims full = {
    .experts = 256, .shared_experts = 1, .top_k = 8, .groups = 8, .top_groups = 4, .routed_scale = 2.5};
constexpr moe_dims small = {
    .experts = 8, .shared_experts = 1, .top_k = 3, .groups = 4, .top_groups = 2, .routed_scale = 2.5};
constexpr moe_dims ungrouped = {.experts = 33, .top_k = 5};
constexpr moe_dims singles = {.experts = 8, .top_k = 4, .groups = 8, .top_groups = 4};

std::vector<expert_choice> choose(const std::vector<float>& scores, const std::vector<float>& bias,
                                  const moe_dims& moe) {
  const test::scratch_memory scratch(choose_experts_scratch_bytes(moe));
  std::vector<expert_choice> out(static_cast<std::size_t>(moe.top_k), {-1, NAN});
  choose_experts({.scores = scores.data(),
                  .bias = bias.data(),
                  .moe = moe,
                  .choice = out.data(),
                  .scratch = static_cast<std::byte*>(scratch.data())});
  return out;
}

void expect_reference(const std::vector<float>& scores, const std::vector<float>& bias, const moe_dims& moe) {
  const auto got = choose(scores, bias, moe);
  const auto want = reference::choose_experts(scores, bias, moe);
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].expert, want[i].expert) << i;
    ASSERT_EQ(got[i].weight, static_cast<float>(want[i].weight)) << i;
  }
}

TEST(sigmoid, equals_the_formula_and_does_not_overflow) {
  std::vector<float> x = {0.0f, 1.5f, -1.5f, 200.0f, -200.0f, -80.0f};
  const std::vector<float> before = x;
  sigmoid(x.data(), static_cast<std::int64_t>(x.size()));
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(x[i], static_cast<float>(1 / (1 + std::exp(-double{before[i]})))) << before[i];
  }
}

TEST(choose_experts, equals_the_reference) {
  for (const moe_dims& moe : {full, small, ungrouped, singles}) {
    const auto n = static_cast<std::size_t>(moe.experts);
    for (std::uint32_t stream = 0; stream < 300; ++stream) {
      SCOPED_TRACE(stream);
      std::vector<float> scores = test::random_floats(n, 2 * stream);
      sigmoid(scores.data(), moe.experts);
      expect_reference(scores, test::random_floats(n, 2 * stream + 1, 0.3f), moe);
    }
  }
}

// Few different values: most comparisons, of experts and of groups, are between equals.
TEST(choose_experts, equals_the_reference_where_scores_are_equal) {
  for (std::uint32_t stream = 0; stream < 300; ++stream) {
    SCOPED_TRACE(stream);
    const counter_rng rng(2, purpose::microbenchmark, stream);
    std::vector<float> scores(256), bias(256);
    for (std::size_t i = 0; i < scores.size(); ++i) {
      scores[i] = 0.25f * static_cast<float>(1 + rng.below(3, 2 * i));
      bias[i] = 0.25f * static_cast<float>(rng.below(2, 2 * i + 1)) - 0.25f;
    }
    expect_reference(scores, bias, full);
  }
}

// 1 + 2^-25 is 1 in f32: sums in f32 would call it a tie and prefer the smaller number.
TEST(choose_experts, sees_differences_that_a_sum_in_f32_would_lose) {
  const moe_dims one = {.experts = 2, .top_k = 1};
  EXPECT_EQ(choose({1.0f, 1.0f}, {0.0f, 0x1p-25f}, one)[0].expert, 1);
  EXPECT_EQ(choose({1.0f, 1.0f}, {0.0f, 0.0f}, one)[0].expert, 0);
}

TEST(group_by_expert, equals_the_reference) {
  for (moe_dims moe : {full, small, ungrouped}) {
    for (const std::int64_t lanes : {1, 5, 64}) {
      std::vector<expert_choice> choice;
      std::vector<std::vector<std::int32_t>> ids;
      for (std::int64_t lane = 0; lane < lanes; ++lane) {
        const auto n = static_cast<std::size_t>(moe.experts);
        std::vector<float> scores = test::random_floats(n, static_cast<std::uint32_t>(lane));
        sigmoid(scores.data(), moe.experts);
        ids.emplace_back();
        for (const auto& c : choose(scores, std::vector<float>(n), moe)) {
          choice.push_back(c);
          ids.back().push_back(c.expert);
        }
      }
      constexpr std::int32_t first = 100;
      const bool shared = moe.shared_experts > 0;
      const std::int64_t copies = moe.top_k + (shared ? 1 : 0);
      std::vector<std::int32_t> starts(static_cast<std::size_t>(moe.experts) + 2);
      std::vector<std::int32_t> rows(static_cast<std::size_t>(lanes * copies), -1);
      group_by_expert({.choice = choice.data(),
                       .lanes = lanes,
                       .experts = moe.experts,
                       .top_k = moe.top_k,
                       .shared = shared,
                       .first_row = first,
                       .starts = starts.data(),
                       .rows = rows.data()});
      const auto want = reference::group_by_expert(ids, moe);
      ASSERT_EQ(want.size(), rows.size());
      EXPECT_EQ(starts.front(), first);
      EXPECT_EQ(starts.back(), first + static_cast<std::int32_t>(want.size()));
      for (std::size_t i = 0; i < want.size(); ++i) {
        const auto [expert, lane] = want[i];
        const auto& of_lane = ids[static_cast<std::size_t>(lane)];
        const auto place = std::ranges::find(of_lane, expert) - of_lane.begin();
        const std::int32_t row = first + static_cast<std::int32_t>(i);
        EXPECT_EQ(rows[static_cast<std::size_t>(lane * copies + place)], row);
        EXPECT_LE(starts[static_cast<std::size_t>(expert)], row);
        EXPECT_GT(starts[static_cast<std::size_t>(expert) + 1], row);
      }
    }
  }
}

}  // namespace
}  // namespace ess::cpu
