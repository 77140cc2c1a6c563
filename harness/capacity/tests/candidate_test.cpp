#include "harness/capacity/candidate.h"

#include <algorithm>

namespace harness {
namespace {

using workloads::overlap_mode;
using workloads::system_kind;

search_space small_space() {
  return {.systems = {system_kind::ess, system_kind::all_gpu},
          .expert_ranks = {32, 64},
          .mtp_depths = {1, 2},
          .ratios = {0.1, 0.2, 0.3},
          .pools = {pool_sizes::even, pool_sizes::by_layer},
          .overlaps = {overlap_mode::da, overlap_mode::layerwise},
          .two_batch_overlap = {false, true},
          .draft_chance = 0.7};
}

TEST(candidates_of, multiplies_only_what_a_system_has) {
  const auto all = candidates_of(small_space());
  const auto of = [&](system_kind system) { return std::ranges::count(all, system, &candidate::system); };
  EXPECT_EQ(of(system_kind::ess), 2 * 3 * 2 * 2 * 2 * 2);
  EXPECT_EQ(of(system_kind::all_gpu), 2 * 2 * 2);
}

TEST(candidates_of, names_each_deployment_once) {
  const auto all = candidates_of(small_space());
  for (std::size_t i = 0; i < all.size(); ++i)
    EXPECT_EQ(std::ranges::count(all, all[i]), 1) << "candidate " << i;
}

// Selections are drawn, and pools run, again whenever these change.
TEST(candidates_of, keeps_selections_and_pools_together) {
  const auto all = candidates_of(small_space());
  const auto pools = [](const candidate& c) { return std::tuple(c.system, c.mtp, c.sparse_ratio, c.pools); };
  int changes = 1;
  for (std::size_t i = 1; i < all.size(); ++i) changes += pools(all[i]) != pools(all[i - 1]) ? 1 : 0;
  EXPECT_EQ(changes, 2 * 3 * 2 + 2);
}

TEST(acceptance, is_a_sum_of_powers) {
  EXPECT_DOUBLE_EQ(accept_of(1, 0.7), 1);
  EXPECT_DOUBLE_EQ(accept_of(2, 0.7), 1.7);
  EXPECT_DOUBLE_EQ(accept_of(4, 0.5), 1.875);
}

TEST(acceptance, gives_back_the_chance_that_it_came_from) {
  for (int mtp = 2; mtp <= 4; ++mtp) {
    for (const double chance : {0.0, 0.1, 0.7, 0.95, 1.0})
      EXPECT_NEAR(draft_chance_of(mtp, accept_of(mtp, chance)).value(), chance, 1e-12) << mtp;
  }
}

TEST(acceptance, refuses_what_no_chance_gives) {
  EXPECT_EQ(draft_chance_of(2, 0.9), std::nullopt);
  EXPECT_EQ(draft_chance_of(2, 2.1), std::nullopt);
  EXPECT_EQ(draft_chance_of(1, 1.2), std::nullopt);
  EXPECT_TRUE(draft_chance_of(1, 1.0));
}

}  // namespace
}  // namespace harness
