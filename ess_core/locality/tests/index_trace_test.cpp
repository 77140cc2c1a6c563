#include "ess_core/locality/index_trace.h"

#include "ess_core/locality/step_overlap.h"
#include "ess_core/locality/tests/random_trace.h"

namespace ess {
namespace {

using testing::HasSubstr;

index_trace fine_trace() { return random_trace(1, {.steps = 4, .layers = 2, .top_k = 6, .first_token = 30}); }

TEST(index_trace, random_traces_are_fine) { EXPECT_TRUE(check_ids(fine_trace())); }

TEST(index_trace, a_wrong_id_is_named_by_its_place) {
  struct wrong {
    std::size_t rank;
    token_id id;
    const char* what;
  };
  for (const wrong& w : {wrong{2, 34, "must be in [0, 33]"}, wrong{0, -2, "must be in [0, 33]"},
                         wrong{1, 10, "repeats 10"}, wrong{2, 5, "is 5 after 11, but ids must ascend"}}) {
    index_trace trace = fine_trace();
    const auto row = trace.selected(3, 1);
    for (std::size_t rank = 0; rank < row.size(); ++rank) row[rank] = static_cast<token_id>(10 + rank);
    ASSERT_TRUE(check_ids(trace));
    row[w.rank] = w.id;
    const auto checked = check_ids(trace);
    ASSERT_FALSE(checked) << w.what;
    EXPECT_THAT(checked.error().what, HasSubstr("step 3, layer 1, rank " + std::to_string(w.rank)));
    EXPECT_THAT(checked.error().what, HasSubstr(w.what));
  }
}

TEST(index_trace, padding_comes_last) {
  index_trace trace = fine_trace();
  const auto row = trace.selected(0, 0);
  std::ranges::fill(row, token_id{-1});
  EXPECT_TRUE(check_ids(trace));
  row[4] = 7;
  ASSERT_FALSE(check_ids(trace));
  EXPECT_THAT(check_ids(trace).error().what, HasSubstr("behind padding"));
}

TEST(index_trace, the_newest_token_is_visible_and_the_next_is_not) {
  index_trace trace({.steps = 2, .layers = 1, .top_k = 1, .first_token = 8});
  trace.ids = {8, 9};
  EXPECT_TRUE(check_ids(trace));
  trace.ids = {9, 9};
  EXPECT_FALSE(check_ids(trace));
}

TEST(index_trace, shapes_that_cannot_be_are_refused) {
  EXPECT_TRUE(check_shape({1, 1, 1, 0}));
  EXPECT_FALSE(check_shape({0, 1, 1, 0}));
  EXPECT_FALSE(check_shape({1, -1, 1, 0}));
  EXPECT_FALSE(check_shape({1, 1, 1, -1}));
  EXPECT_FALSE(check_shape({2, 1, 1, 2'147'483'647}));
  EXPECT_FALSE(check_shape({2'000'000'000, 2'000'000'000, 2'000'000'000, 0}));
}

TEST(step_overlap, is_the_share_of_a_selection_that_the_one_before_had) {
  index_trace trace({.steps = 3, .layers = 1, .top_k = 4, .first_token = 20});
  trace.ids = {1, 2, 3, 4, 2, 4, 6, 8, 2, 3, -1, -1};
  EXPECT_DOUBLE_EQ(mean_step_overlap(trace, 0), (0.5 + 0.5) / 2);
  EXPECT_DOUBLE_EQ(mean_step_overlap(trace, 0, 2), 0.5);
  EXPECT_DOUBLE_EQ(mean_step_overlap(trace, 0, 3), 0.0);
}

}  // namespace
}  // namespace ess
