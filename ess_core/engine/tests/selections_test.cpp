#include "ess_core/engine/selections.h"

namespace ess {
namespace {

TEST(union_size, counts_an_id_once_and_padding_never) {
  EXPECT_EQ(union_size(std::vector<token_id>{1, 4, 9, 4, 9, -1}), 3);
  EXPECT_EQ(union_size(std::vector<token_id>{-1, -1}), 0);
}

// Two layers, two query tokens, top-2.
constexpr selection_shape shape{.layers = 2, .query_tokens = 2, .top_k = 2};

TEST(follow, compares_every_kept_query_token_with_the_one_before) {
  std::vector<token_id> last;
  step_overlap first;
  follow(shape, std::vector<token_id>{1, 2, 2, 3, 5, 6, 7, -1}, 2, last, first);
  EXPECT_EQ(first.common, 1);  // of the second query tokens: 2 again in layer 0, nothing in layer 1
  EXPECT_EQ(first.all, 3);
  EXPECT_EQ(last, (std::vector<token_id>{2, 3, 7, -1}));

  step_overlap second;
  follow(shape, std::vector<token_id>{3, 4, 8, 9, 6, 7, 8, 9}, 1, last, second);
  EXPECT_EQ(second.common, 2);  // 3 and 7; the rejected draft does not count
  EXPECT_EQ(second.all, 4);
  EXPECT_EQ(last, (std::vector<token_id>{3, 4, 6, 7}));
}

TEST(follow, says_nothing_of_a_first_query_token) {
  std::vector<token_id> last;
  step_overlap overlap;
  follow(shape, std::vector<token_id>{1, 2, 2, 3, 5, 6, 7, -1}, 1, last, overlap);
  EXPECT_FALSE(overlap.share().has_value());
}

}  // namespace
}  // namespace ess
