#include "ess_core/engine/draft_acceptance.h"

#include <stdexcept>

namespace ess {
namespace {

double mean_kept(std::int32_t query_tokens, double asked) {
  const draft_acceptance acceptance(query_tokens, asked, 7);
  double sum = 0;
  for (std::int32_t step = 0; step < 20'000; ++step) {
    const std::int32_t kept = acceptance.kept(3, step);
    EXPECT_GE(kept, 1);
    EXPECT_LE(kept, query_tokens);
    sum += kept;
  }
  return sum / 20'000;
}

TEST(draft_acceptance, keeps_what_is_asked_for_in_the_mean) {
  EXPECT_NEAR(draft_acceptance(2, 1.7, 0).chance(), 0.7, 1e-12);
  for (const auto& [query_tokens, asked] : {std::pair{2, 1.7}, {3, 2.0}, {4, 1.2}, {4, 3.5}}) {
    EXPECT_NEAR(mean_kept(query_tokens, asked), asked, 0.03) << query_tokens;
  }
}

TEST(draft_acceptance, all_or_none_where_the_mean_leaves_no_choice) {
  EXPECT_EQ(mean_kept(3, 3.0), 3.0);
  EXPECT_EQ(mean_kept(3, 1.0), 1.0);
  EXPECT_EQ(mean_kept(1, 1.0), 1.0);
}

TEST(draft_acceptance, differs_by_request_step_and_seed_only) {
  const draft_acceptance a(4, 2.0, 1);
  std::vector<std::int32_t> here, request, seed;
  for (std::int32_t step = 0; step < 64; ++step) {
    here.push_back(a.kept(0, step));
    EXPECT_EQ(a.kept(0, step), here.back());
    request.push_back(a.kept(1, step));
    seed.push_back(draft_acceptance(4, 2.0, 2).kept(0, step));
  }
  EXPECT_NE(here, request);
  EXPECT_NE(here, seed);
}

TEST(draft_acceptance, refuses_means_that_no_step_can_have) {
  EXPECT_THROW(draft_acceptance(2, 0.9, 0), std::invalid_argument);
  EXPECT_THROW(draft_acceptance(2, 2.1, 0), std::invalid_argument);
}

}  // namespace
}  // namespace ess
