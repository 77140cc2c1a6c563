#include "ess_core/device/cpu/kernels/score_keys.h"

#include <cmath>

#include "ess_core/device/cpu/kernels/tests/test_data.h"
#include "ess_core/reference/indexer.h"

namespace ess::cpu {
namespace {

struct scene {
  int heads;
  std::int64_t keys;
  std::vector<std::uint8_t> query = test::random_codes(static_cast<std::size_t>(heads) * index_dim, 1);
  std::vector<float> weight = test::random_floats(static_cast<std::size_t>(heads), 2);
  std::vector<std::uint8_t> pages = test::random_pages(keys, 3);

  std::vector<float> score(std::int64_t n) const {
    std::vector<float> scores(static_cast<std::size_t>(n), -1.0f);
    score_keys({.query = query.data(),
                .weight = weight.data(),
                .pages = pages.data(),
                .keys = n,
                .heads = heads,
                .scores = scores.data()});
    return scores;
  }
};

class score_keys_of : public testing::TestWithParam<int> {};

TEST_P(score_keys_of, equals_the_reference) {
  for (const std::int64_t keys : {1, 5, 47, 48, 49, 64, 65, 300, 1000}) {
    const scene s{GetParam(), keys};
    const auto expected = reference::score_paged_keys(s.query, s.weight, s.pages, keys);
    const auto scores = s.score(keys);
    for (std::int64_t i = 0; i < keys; ++i) {
      // A dot product is up to 448^2 * 128 in size, of which a head may keep little.
      const double bound = 1e-5 * expected.magnitude[i] + 1e-6 * 448 * 448 * 8;
      ASSERT_NEAR(scores[i], expected.score[i], bound) << "key " << i << " of " << keys;
    }
  }
}

TEST_P(score_keys_of, does_not_depend_on_the_number_of_keys) {
  const scene s{GetParam(), 130};
  const auto all = s.score(130);
  for (std::int64_t n = 0; n < 130; ++n)
    ASSERT_TRUE(test::same_bits(s.score(n), std::span(all).first(static_cast<std::size_t>(n)))) << n;
}

TEST_P(score_keys_of, does_not_depend_on_the_place_of_a_key) {
  const scene s{GetParam(), 192};
  const auto all = s.score(192);
  scene shifted = s;
  shifted.pages.erase(shifted.pages.begin(), shifted.pages.begin() + index_page_format{}.page_bytes());
  EXPECT_TRUE(test::same_bits(shifted.score(128), std::span(all).subspan(64)));
}

TEST_P(score_keys_of, a_nan_spoils_its_own_score_only) {
  scene s{GetParam(), 100};
  const auto clean = s.score(100);
  s.pages[index_page_format{}.key_offset(70) + 99] = 0xff;
  s.pages[index_page_format{}.key_offset(3)] = 0x7f;
  const auto scores = s.score(100);
  for (int i = 0; i < 100; ++i) {
    if (i == 70 || i == 3) {
      EXPECT_TRUE(std::isnan(scores[i])) << i;
    } else {
      EXPECT_EQ(scores[i], clean[i]) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(heads, score_keys_of, testing::Values(1, 4, 8, 12, 16, 24, 40, 64, 128));

// Every pair of codes once: one head, one dimension in use.
TEST(score_keys_codes, every_code_is_decoded_exactly) {
  constexpr index_page_format format;
  scene s{1, 256};
  s.weight = {1.0f};
  std::fill(s.query.begin(), s.query.end(), std::uint8_t{0});
  std::fill(s.pages.begin(), s.pages.end(), std::uint8_t{0});
  const float one = 1.0f;
  for (int code = 0; code < 256; ++code) {
    s.pages[format.key_offset(code) + 17] = static_cast<std::uint8_t>(code);
    std::memcpy(&s.pages[format.scale_offset(code)], &one, sizeof one);
  }
  for (const std::uint8_t query : std::vector<std::uint8_t>{0x38, 0xb8, 0x01}) {  // 1, -1, 2^-9
    s.query[17] = query;
    const auto scores = s.score(256);
    const auto expected = reference::score_paged_keys(s.query, s.weight, s.pages, 256);
    for (int code = 0; code < 256; ++code) {
      if ((code & 0x7f) == 0x7f) {
        EXPECT_TRUE(std::isnan(scores[code]));
      } else {
        EXPECT_EQ(scores[code], expected.score[code]) << code;
      }
    }
  }
}

TEST(score_keys_limits, heads_out_of_range_are_refused) {
  EXPECT_THROW(
      score_keys(
          {.query = nullptr, .weight = nullptr, .pages = nullptr, .keys = 0, .heads = 0, .scores = nullptr}),
      std::invalid_argument);
  EXPECT_THROW(score_keys({.query = nullptr,
                           .weight = nullptr,
                           .pages = nullptr,
                           .keys = 0,
                           .heads = 129,
                           .scores = nullptr}),
               std::invalid_argument);
}

}  // namespace
}  // namespace ess::cpu
