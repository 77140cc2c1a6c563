#include "ess_core/device/sim/layer_sample.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

namespace ess::sim {
namespace {

// Layer i misses the more, the larger its rank.
std::vector<layer_locality> by_rank(const std::vector<int>& ranks) {
  std::vector<layer_locality> out;
  for (const int rank : ranks) out.push_back({.overlap = 0.6, .scattered = 0.002 * (rank + 1)});
  return out;
}

TEST(layer_sample, the_middle_layer_stands_for_its_third) {
  EXPECT_EQ(layers_that_stand_for(by_rank({0, 1, 2, 3, 4, 5, 6, 7, 8}), 9, 3),
            (std::vector<std::int32_t>{1, 1, 1, 4, 4, 4, 7, 7, 7}));
}

TEST(layer_sample, what_counts_is_how_much_a_layer_misses_not_where_it_lies) {
  EXPECT_EQ(layers_that_stand_for(by_rank({5, 0, 3, 1, 4, 2}), 6, 2),
            (std::vector<std::int32_t>{4, 3, 4, 3, 4, 3}));
}

TEST(layer_sample, neighbours_of_the_cut_count_by_how_deep_they_lie) {
  const std::vector<layer_locality> deep_first = {{.overlap = 0.3, .scattered = 0, .steepness = 1},
                                                  {.overlap = 0.3, .scattered = 0, .steepness = 9},
                                                  {.overlap = 0.9, .scattered = 0, .steepness = 1},
                                                  {.overlap = 0.9, .scattered = 0, .steepness = 9}};
  const auto like = layers_that_stand_for(deep_first, 4, 2);
  EXPECT_EQ(like[1], like[3]);  // hardly a miss
  EXPECT_EQ(like[0], like[2]);
}

TEST(layer_sample, every_layer_stands_for_itself_if_all_are_followed) {
  const auto localities = by_rank({2, 0, 1});
  for (const std::int32_t followed : {0, 3, 7})
    EXPECT_EQ(layers_that_stand_for(localities, 3, followed), (std::vector<std::int32_t>{0, 1, 2}));
}

TEST(layer_sample, layers_beyond_the_model_are_like_its_last) {
  EXPECT_EQ(layers_that_stand_for(by_rank({0, 1, 8}), 6, 2), (std::vector<std::int32_t>{1, 1, 1, 4, 4, 4}));
}

TEST(layer_sample, any_sample_is_as_large_as_asked_for_and_even) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 rng(seed);
    const auto layers = static_cast<std::int32_t>(1 + rng() % 70);
    const auto followed = static_cast<std::int32_t>(1 + rng() % static_cast<unsigned>(layers));
    std::vector<int> ranks(static_cast<std::size_t>(layers));
    std::iota(ranks.begin(), ranks.end(), 0);
    std::ranges::shuffle(ranks, rng);
    const auto like = layers_that_stand_for(by_rank(ranks), layers, followed);
    const std::set<std::int32_t> sample(like.begin(), like.end());
    EXPECT_EQ(static_cast<std::int32_t>(sample.size()), followed);
    for (const std::int32_t one : sample) {
      EXPECT_EQ(like[static_cast<std::size_t>(one)], one);
      std::vector<int> stretch;
      for (std::size_t layer = 0; layer < like.size(); ++layer) {
        if (like[layer] == one) stretch.push_back(ranks[layer]);
      }
      std::ranges::sort(stretch);
      EXPECT_GE(static_cast<std::int32_t>(stretch.size()), layers / followed);
      EXPECT_LE(static_cast<std::int32_t>(stretch.size()), (layers + followed - 1) / followed);
      EXPECT_EQ(stretch.back() - stretch.front() + 1, static_cast<int>(stretch.size()));  // nobody between
      EXPECT_EQ(stretch[stretch.size() / 2], ranks[static_cast<std::size_t>(one)]);
    }
  }
}

}  // namespace
}  // namespace ess::sim
