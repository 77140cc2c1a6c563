#include "ess_core/reference/experts.h"

#include <cmath>

namespace ess::reference {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

constexpr moe_dims two_of_three_groups = {
    .experts = 6, .shared_experts = 1, .top_k = 2, .groups = 3, .top_groups = 2, .routed_scale = 2.5};

std::vector<std::int32_t> ids(const std::vector<weighed_expert>& chosen) {
  std::vector<std::int32_t> out;
  for (const weighed_expert& c : chosen) out.push_back(c.expert);
  return out;
}

TEST(router_scores, are_sigmoids_of_a_product) {
  const std::vector<float> router = {1, 2, 0, 0, -1, 1}, x = {1, -1};
  EXPECT_THAT(router_scores(router, x), ElementsAre(DoubleNear(1 / (1 + std::exp(1.0)), 1e-15), 0.5,
                                                    DoubleNear(1 / (1 + std::exp(2.0)), 1e-15)));
}

// Group sums 1.0, 1.1, 0.9: the best single expert, 5, lies in the group that goes.
TEST(choose_experts, drops_the_group_whose_two_best_sum_to_least) {
  const std::vector<float> scores = {0.5f, 0.5f, 0.6f, 0.5f, 0.0f, 0.9f}, bias(6, 0.0f);
  EXPECT_THAT(ids(choose_experts(scores, bias, two_of_three_groups)), ElementsAre(0, 2));
}

TEST(choose_experts, bias_decides_the_choice_and_not_the_weight) {
  const std::vector<float> scores = {0.5f, 0.4f, 0.6f, 0.5f, 0.1f, 0.1f};
  const std::vector<float> bias = {0, 0.3f, 0, 0, 0, 0};
  const auto chosen = choose_experts(scores, bias, two_of_three_groups);
  ASSERT_THAT(ids(chosen), ElementsAre(1, 2));
  EXPECT_NEAR(chosen[0].weight, 2.5 * 0.4, 1e-6);
  EXPECT_NEAR(chosen[1].weight, 2.5 * 0.6, 1e-6);
}

TEST(choose_experts, prefers_the_smaller_number_among_equals) {
  const std::vector<float> scores(6, 0.5f), bias(6, 0.1f);
  EXPECT_THAT(ids(choose_experts(scores, bias, two_of_three_groups)), ElementsAre(0, 1));
}

// A mask of -inf, not of 0: scores with their bias may be negative.
TEST(choose_experts, never_takes_one_of_a_dropped_group) {
  const std::vector<float> scores(6, 0.1f);
  const std::vector<float> bias = {-0.5f, -0.5f, -0.6f, -0.6f, -0.7f, -0.7f};
  moe_dims moe = two_of_three_groups;
  moe.top_k = 4;
  EXPECT_THAT(ids(choose_experts(scores, bias, moe)), ElementsAre(0, 1, 2, 3));
}

TEST(group_by_expert, orders_by_expert_then_lane_and_puts_the_shared_one_last) {
  const std::vector<std::vector<std::int32_t>> choices = {{1, 5}, {0, 1}};
  EXPECT_THAT(group_by_expert(choices, two_of_three_groups),
              ElementsAre(grouped_row{0, 1}, grouped_row{1, 0}, grouped_row{1, 1}, grouped_row{5, 0},
                          grouped_row{6, 0}, grouped_row{6, 1}));
  moe_dims without = two_of_three_groups;
  without.shared_experts = 0;
  EXPECT_EQ(group_by_expert(choices, without).size(), 4u);
}

TEST(combine, sums_weighed_outputs) {
  const std::vector<double> weights = {2, 1};
  const std::vector<std::vector<double>> outputs = {{1, 2}, {10, 20}};
  EXPECT_THAT(combine(weights, outputs), ElementsAre(12.0, 24.0));
}

}  // namespace
}  // namespace ess::reference
