#include "ess_core/reference/indexer.h"

#include <limits>

#include "ess_core/base/e4m3.h"
#include "ess_core/layout/index_key.h"

namespace ess::reference {
namespace {

using testing::ElementsAre;

constexpr float infinity = std::numeric_limits<float>::infinity();

TEST(encode_index_vector, matches_the_single_precision_path_away_from_boundaries) {
  std::vector<float> values(128, 0.0f);
  values[70] = 1.0f;  // not rotated; becomes +-128^-0.5 everywhere
  const std::vector<float> cos(32, 0.5f), sin(32, 0.25f);
  const index_vector encoded = encode_index_vector(values, cos, sin);
  std::vector<std::uint8_t> codes(128);
  rotate_index_vector(values, cos, sin);
  transform_index_vector(values);
  EXPECT_EQ(encoded.scale, quantise_index_vector(values, codes));
  EXPECT_EQ(encoded.codes, codes);
  EXPECT_EQ(rotated_index_vector(std::vector<float>(128, 1.0f), cos, sin)[0], 0.25f);
  EXPECT_EQ(rotated_index_vector(std::vector<float>(128, 1.0f), cos, sin)[32], 0.75f);
}

TEST(folded_index_weights, scale_by_heads_dim_and_the_query) {
  const std::vector<float> raw = {1, -2, 0, 4}, scale = {0.5f, 1, 1, 2};
  EXPECT_THAT(folded_index_weights(raw, scale, 64), ElementsAre(1.0 / 32, -2.0 / 16, 0.0, 8.0 / 16));
}

TEST(score_float_keys, sums_weighted_relus_and_their_magnitudes) {
  const std::vector<float> query = {1, 0, 0, 1};  // two heads of two
  const std::vector<float> weight = {2, -3};
  const std::vector<float> keys = {5, 7, -5, 7, 0, 0};
  const index_scores scores = score_float_keys(query, weight, keys);
  EXPECT_THAT(scores.score, ElementsAre(-11.0, -21.0, 0.0));
  EXPECT_THAT(scores.magnitude, ElementsAre(31.0, 21.0, 0.0));
}

TEST(score_paged_keys, multiplies_by_the_scale_of_each_key) {
  std::vector<std::uint8_t> pages(2 * 8448), key(128, 0);
  for (const int token : {0, 63, 64}) {
    key[3] = float_to_e4m3(static_cast<float>(token == 64 ? 4 : 2));
    pack_index_key(key, token == 63 ? 0.5f : 1.0f, token, pages);
  }
  std::vector<std::uint8_t> query(256, 0);
  query[3] = float_to_e4m3(1.5f);
  query[128 + 3] = float_to_e4m3(-8.0f);  // cut by relu
  const index_scores scores = score_paged_keys(query, std::vector<float>{2.0f, 1.0f}, pages, 65);
  ASSERT_EQ(scores.score.size(), 65u);
  EXPECT_EQ(scores.score[0], 6.0);
  EXPECT_EQ(scores.score[1], 0.0);
  EXPECT_EQ(scores.score[63], 3.0);
  EXPECT_EQ(scores.score[64], 12.0);
}

TEST(select_top_k, returns_ids_ascending_and_pads) {
  const std::vector<float> scores = {1, 9, 3, 7};
  EXPECT_THAT(select_top_k(scores, 2), ElementsAre(1, 3));
  EXPECT_THAT(select_top_k(scores, 6), ElementsAre(0, 1, 2, 3, -1, -1));
  EXPECT_THAT(select_top_k(std::vector<float>{}, 2), ElementsAre(-1, -1));
}

TEST(select_top_k, ties_prefer_the_smaller_id_and_zeros_tie) {
  const std::vector<float> scores = {-0.0f, 0.0f, 5, 0.0f, 5, -0.0f};
  EXPECT_THAT(select_top_k(scores, 1), ElementsAre(2));
  EXPECT_THAT(select_top_k(scores, 3), ElementsAre(0, 2, 4));
  EXPECT_THAT(select_top_k(scores, 5), ElementsAre(0, 1, 2, 3, 4));
}

TEST(select_top_k, takes_infinities_and_puts_nan_last) {
  const std::vector<float> scores = {-infinity, std::numeric_limits<float>::quiet_NaN(), infinity, -1};
  EXPECT_THAT(select_top_k(scores, 2), ElementsAre(2, 3));
  EXPECT_THAT(select_top_k(scores, 3), ElementsAre(0, 2, 3));
}

TEST(select_top_k, tells_doubles_apart_that_are_equal_as_floats) {
  const std::vector<double> scores = {1.0, 1.0 + 1e-12};
  EXPECT_THAT(select_top_k(scores, 1), ElementsAre(1));
}

}  // namespace
}  // namespace ess::reference
