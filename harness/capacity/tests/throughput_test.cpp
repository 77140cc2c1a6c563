#include "harness/capacity/throughput.h"

#include <algorithm>
#include <random>

namespace harness {
namespace {

TEST(throughput_of, follows_the_step_time) {
  const throughput t = throughput_of(50, 1.6, 40'000, 8);
  EXPECT_DOUBLE_EQ(t.tpot_ms, 25);
  EXPECT_DOUBLE_EQ(t.tokens_per_s_user, 40);
  EXPECT_DOUBLE_EQ(t.tokens_per_s_gpu, 2000);
  EXPECT_DOUBLE_EQ(t.tokens_per_s_node, 16'000);
}

TEST(cost_per_million_tokens, is_the_price_of_the_time_that_they_take) {
  EXPECT_DOUBLE_EQ(cost_per_million_tokens(1000, 3.6), 1.0);
  EXPECT_DOUBLE_EQ(cost_per_million_tokens(500, 3.6), 2.0);
}

throughput at(double of_gpu, double of_user) {
  return {.tokens_per_s_user = of_user, .tokens_per_s_gpu = of_gpu};
}

TEST(pareto_front, leaves_out_what_is_beaten_in_both) {
  const std::vector<throughput> all = {at(10, 1), at(8, 3), at(7, 2), at(8, 2), at(1, 9)};
  EXPECT_EQ(pareto_front(all), (std::vector<std::size_t>{0, 1, 4}));
}

TEST(pareto_front, keeps_the_first_of_equals) {
  const std::vector<throughput> all = {at(5, 5), at(5, 5)};
  EXPECT_EQ(pareto_front(all), (std::vector<std::size_t>{0}));
  EXPECT_TRUE(pareto_front({}).empty());
}

// Against the definition.
TEST(pareto_front, is_what_nothing_dominates) {
  const unsigned seed = 20;
  SCOPED_TRACE(seed);
  std::mt19937 draw(seed);
  for (int round = 0; round < 50; ++round) {
    std::vector<throughput> all;
    const auto next = [&] { return static_cast<double>(draw() % 20); };
    for (int i = 0; i < 40; ++i) {
      const double of_gpu = next();
      all.push_back(at(of_gpu, next()));
    }
    const auto dominates = [](const throughput& a, const throughput& b) {
      return a.tokens_per_s_gpu >= b.tokens_per_s_gpu && a.tokens_per_s_user >= b.tokens_per_s_user &&
             (a.tokens_per_s_gpu > b.tokens_per_s_gpu || a.tokens_per_s_user > b.tokens_per_s_user);
    };
    const auto front = pareto_front(all);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto beats_it = [&](const throughput& other) { return dominates(other, all[i]); };
      const auto equals_it = [&](std::size_t other) {
        return all[other].tokens_per_s_gpu == all[i].tokens_per_s_gpu &&
               all[other].tokens_per_s_user == all[i].tokens_per_s_user;
      };
      EXPECT_EQ(std::ranges::any_of(front, equals_it), std::ranges::none_of(all, beats_it)) << "point " << i;
    }
  }
}

}  // namespace
}  // namespace harness
