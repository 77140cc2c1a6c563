#include "ess_core/device/cpu/kernels/attend.h"

#include <cmath>
#include <numeric>

#include "ess_core/device/cpu/kernels/tests/test_data.h"
#include "ess_core/reference/attention.h"

namespace ess::cpu {
namespace {

using row_list = std::vector<const std::uint8_t*>;

struct result {
  std::vector<float> out;
  std::vector<float> lse;
};

struct scene {
  int heads = 4;
  latent_row_format format = {};
  float scale = 0.0625f;
  std::vector<float> query =
      test::random_floats(static_cast<std::size_t>(heads) * (format.kv_lora + format.rope), 1);

  // Output holds NaNs before, as scratch does, so that what is read unwritten shows.
  result run(const row_list& rows) const {
    result r{std::vector<float>(static_cast<std::size_t>(heads) * format.kv_lora, NAN),
             std::vector<float>(static_cast<std::size_t>(heads), NAN)};
    const test::scratch_memory scratch(attend_scratch_bytes(heads, format.kv_lora, format.rope));
    attend({.query = query.data(),
            .rows = rows.data(),
            .n = static_cast<std::int64_t>(rows.size()),
            .heads = heads,
            .kv_lora = format.kv_lora,
            .rope = format.rope,
            .scale = scale,
            .out = r.out.data(),
            .lse = r.lse.data(),
            .scratch = scratch.data()});
    return r;
  }
};

row_list pointers(const std::vector<std::uint8_t>& bytes, latent_row_format format) {
  row_list rows;
  for (std::size_t i = 0; i < bytes.size(); i += format.bytes()) rows.push_back(&bytes[i]);
  return rows;
}

void expect_reference(const scene& s, std::int64_t n) {
  const auto bytes = test::random_rows(n, s.format, 100);
  const auto got = s.run(pointers(bytes, s.format));
  std::vector<std::int32_t> all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  const auto expected = reference::attend_packed_rows(s.query, s.heads, {bytes, s.format}, all, s.scale);
  for (int h = 0; h < s.heads; ++h) {
    ASSERT_NEAR(got.lse[h], expected.lse[h], 2e-5 * std::fabs(expected.lse[h]) + 2e-5) << "head " << h;
    for (int i = h * s.format.kv_lora; i < (h + 1) * s.format.kv_lora; ++i)
      ASSERT_NEAR(got.out[i], expected.output[i], 3e-5 * (1 + std::fabs(s.scale)))
          << "head " << h << " of " << s.heads << ", " << n;
  }
}

bool same(const result& a, const result& b) {
  return test::same_bits(a.out, b.out) && test::same_bits(a.lse, b.lse);
}

TEST(attend, equals_the_reference) {
  for (const int heads : {1, 3, 4, 16, 17, 33, 64})
    for (const std::int64_t n : {1, 2, 47, 48, 49, 100}) expect_reference({.heads = heads}, n);
}

TEST(attend, equals_the_reference_at_full_size) { expect_reference({.heads = 128}, 2048); }

TEST(attend, equals_the_reference_for_other_formats) {
  for (const latent_row_format format : {latent_row_format{16, 16}, {128, 32}, {144, 64}, {576, 16}})
    expect_reference({.heads = 5, .format = format}, 70);
}

// Logits of several hundred, of both signs.
TEST(attend, large_logits_do_not_overflow) {
  for (const float scale : {10.0f, -10.0f}) expect_reference({.heads = 16, .scale = scale}, 200);
}

TEST(attend, no_valid_row_gives_zeros_and_infinity) {
  const scene s{.heads = 6};
  for (const row_list& rows : {row_list{}, row_list(100, nullptr)}) {
    const auto r = s.run(rows);
    EXPECT_THAT(r.out, testing::Each(0.0f));
    EXPECT_THAT(r.lse, testing::Each(std::numeric_limits<float>::infinity()));
  }
}

TEST(attend, null_rows_change_nothing) {
  const scene s{.heads = 16};
  const auto bytes = test::random_rows(130, s.format, 7);
  const auto rows = pointers(bytes, s.format);
  row_list with_nulls(60, nullptr);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    with_nulls.push_back(rows[i]);
    with_nulls.insert(with_nulls.end(), i % 4, nullptr);
  }
  EXPECT_TRUE(same(s.run(rows), s.run(with_nulls)));
}

TEST(attend, addresses_change_nothing) {
  const scene s{.heads = 16};
  const auto bytes = test::random_rows(100, s.format, 8);
  const auto rows = pointers(bytes, s.format);
  std::vector<std::uint8_t> elsewhere(100 * 700 + 3);
  row_list moved;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::uint8_t* place = &elsewhere[3 + (i * 37 % 100) * 700];
    std::memcpy(place, rows[i], s.format.bytes());
    moved.push_back(place);
  }
  EXPECT_TRUE(same(s.run(rows), s.run(moved)));
}

TEST(attend, a_head_does_not_depend_on_the_others) {
  const scene all{.heads = 33};
  const auto bytes = test::random_rows(60, all.format, 9);
  const auto rows = pointers(bytes, all.format);
  const auto together = all.run(rows);
  const std::size_t width = all.format.kv_lora + all.format.rope;
  for (int h = 0; h < all.heads; ++h) {
    const scene one{.heads = 1,
                    .query = {all.query.begin() + h * width, all.query.begin() + (h + 1) * width}};
    const auto alone = one.run(rows);
    const auto of_head = std::span(together.out).subspan(static_cast<std::size_t>(h) * 512, 512);
    ASSERT_TRUE(test::same_bits(alone.out, of_head)) << h;
    ASSERT_EQ(alone.lse[0], together.lse[h]) << h;
  }
}

TEST(attend, a_nan_in_a_row_shows) {
  const scene s{.heads = 4};
  auto bytes = test::random_rows(60, s.format, 10);
  const auto rows = pointers(bytes, s.format);
  const auto poison = [&](std::size_t offset, std::uint8_t value) {
    const std::uint8_t before = std::exchange(bytes[offset], value);
    const auto r = s.run(rows);
    bytes[offset] = before;
    EXPECT_TRUE(std::isnan(r.lse[0])) << offset;
    for (const float value_out : r.out) ASSERT_TRUE(std::isnan(value_out)) << offset;
  };
  const std::size_t row = 55 * s.format.bytes();
  poison(row + 300, 0x7f);                          // a latent value
  poison(row + s.format.scale_offset() + 3, 0x7f);  // a scale: exponent 254 or 255
  bytes[row + s.format.rotary_offset() + 2] |= 0x80;
  poison(row + s.format.rotary_offset() + 3, 0x7f);  // a rotary value
}

TEST(attend, sizes_without_code_are_refused) {
  EXPECT_THROW(scene({.format = {.kv_lora = 20, .rope = 16}}).run({}), std::invalid_argument);
  EXPECT_THROW(scene({.format = {.kv_lora = 512, .rope = 8}}).run({}), std::invalid_argument);
  EXPECT_THROW(scene({.format = {.kv_lora = 1024, .rope = 64}}).run({}), std::invalid_argument);
}

}  // namespace
}  // namespace ess::cpu
