#include "ess_core/reference/attention.h"

#include <cmath>
#include <limits>

#include "ess_core/reference/linear.h"

namespace ess::reference {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::ElementsAre;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr latent_row_format small{.kv_lora = 4, .rope = 2};

std::vector<std::uint8_t> pack_rows(const std::vector<std::vector<float>>& latents, std::int64_t pitch) {
  std::vector<std::uint8_t> bytes(latents.size() * pitch, 0x7f);
  for (std::size_t i = 0; i < latents.size(); ++i) {
    pack_latent_row(latents[i], std::vector<float>{0.5f, -0.5f},
                    std::span(bytes).subspan(i * pitch, small.bytes()));
  }
  return bytes;
}

const std::vector<std::vector<float>> three_rows = {{1, 2, 3, 4}, {-1, 0, 1, 0}, {4, 3, 2, 1}};
const std::vector<float> one_query = {1, 0, 0, 0.5f, 1, 1};

TEST(absorbed_query, goes_through_the_up_projection_and_rotates_neighbours) {
  // One head, nope 2, rope 2, kv_lora 3.
  const std::vector<float> query = {2, 3, 1, 0}, key_up = {1, 0, 1, 0, 1, 1}, cos = {0}, sin = {1};
  EXPECT_THAT(absorbed_query(query, key_up, 1, cos, sin), ElementsAre(2, 3, 5, 0, 1));
  EXPECT_THAT(rotated_key(std::vector<float>{0, 1}, cos, sin), ElementsAre(-1, 0));
}

TEST(absorbed_query, keeps_heads_apart) {
  const std::vector<float> query = {1, 7, 8, 2, 9, 6}, key_up = {10, 20}, cos = {1}, sin = {0};
  EXPECT_THAT(absorbed_query(query, key_up, 2, cos, sin), ElementsAre(10, 7, 8, 40, 9, 6));
}

TEST(attend_packed_rows, of_one_row_is_that_row) {
  const auto bytes = pack_rows(three_rows, small.bytes());
  const auto part = attend_packed_rows(one_query, 1, {bytes, small}, std::vector<std::int32_t>{2}, 0.5);
  EXPECT_THAT(part.output, ElementsAre(4, 3, 2, 1));
  EXPECT_THAT(part.lse, ElementsAre(0.5 * 4.5));
}

TEST(attend_packed_rows, weighs_by_softmax_whatever_the_order_pitch_and_padding) {
  const double a = std::exp(0.5 * 3.0), b = std::exp(0.5 * -1.0);
  for (const std::int64_t pitch : {std::int64_t{small.bytes()}, std::int64_t{40}}) {
    const auto bytes = pack_rows(three_rows, pitch);
    const std::vector<std::int32_t> selected = {-1, 1, -1, 0};
    const auto part = attend_packed_rows(one_query, 1, {bytes, small, pitch}, selected, 0.5);
    EXPECT_NEAR(part.lse[0], std::log(a + b), 1e-14);
    EXPECT_NEAR(part.output[0], (a - b) / (a + b), 1e-14);
    EXPECT_NEAR(part.output[1], 2 * a / (a + b), 1e-14);
  }
}

TEST(attend_packed_rows, of_nothing_is_zero_with_infinite_lse) {
  const auto bytes = pack_rows(three_rows, small.bytes());
  const std::vector<float> two_queries(12, 1.0f);
  const std::vector<std::int32_t> none = {-1, -1};
  const auto part = attend_packed_rows(two_queries, 2, {bytes, small}, none, 0.5);
  EXPECT_EQ(part.output, std::vector<double>(8, 0.0));
  EXPECT_THAT(part.lse, ElementsAre(infinity, infinity));
}

TEST(attend_packed_rows, survives_logits_beyond_the_range_of_exp) {
  const auto bytes = pack_rows(three_rows, small.bytes());
  const std::vector<std::int32_t> all = {0, 1, 2};
  const auto part = attend_packed_rows(one_query, 1, {bytes, small}, all, 2000.0);
  EXPECT_THAT(part.output, ElementsAre(4, 3, 2, 1));
  EXPECT_EQ(part.lse[0], 9000.0);
}

TEST(merge_parts, of_two_halves_is_the_whole) {
  const auto bytes = pack_rows(three_rows, small.bytes());
  const auto of = [&](std::vector<std::int32_t> selected) {
    return attend_packed_rows(one_query, 1, {bytes, small}, selected, 0.7);
  };
  const auto first = of({0}), second = of({1, 2}), whole = of({0, 1, 2});
  const auto output0 = to_float(first.output), lse0 = to_float(first.lse);
  const auto output1 = to_float(second.output), lse1 = to_float(second.lse);
  const auto merged = merge_parts({output0, lse0}, {output1, lse1});
  EXPECT_NEAR(merged.lse[0], whole.lse[0], 1e-6);
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(merged.output[i], whole.output[i], 1e-6);
}

TEST(merge_parts, gives_an_empty_part_no_weight) {
  const std::vector<float> output = {1, 2}, zeros = {0, 0}, lse = {3}, empty = {static_cast<float>(infinity)};
  for (const auto& merged :
       {merge_parts({output, lse}, {zeros, empty}), merge_parts({zeros, empty}, {output, lse})}) {
    EXPECT_THAT(merged.output, ElementsAre(1, 2));
    EXPECT_THAT(merged.lse, ElementsAre(3));
  }
  const auto both = merge_parts({zeros, empty}, {zeros, empty});
  EXPECT_THAT(both.output, Each(0.0));
  EXPECT_THAT(both.lse, ElementsAre(infinity));
}

TEST(merge_parts, of_very_different_sizes_takes_the_larger) {
  const std::vector<float> a = {1}, b = {2}, large = {900}, small_lse = {-900};
  const auto merged = merge_parts({a, large}, {b, small_lse});
  EXPECT_EQ(merged.output[0], 1.0);
  EXPECT_EQ(merged.lse[0], 900.0);
}

TEST(value_up_projection, multiplies_each_head_by_its_own_matrix) {
  const std::vector<float> latent = {1, 2, 3, 4}, value_up = {1, 1, 0, 1};  // two heads, v 1
  EXPECT_THAT(value_up_projection(latent, value_up, 2), ElementsAre(3, 4));
}

}  // namespace
}  // namespace ess::reference
