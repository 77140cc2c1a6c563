#include "ess_core/device/cpu/kernels/merge.h"

#include <cmath>
#include <limits>

#include "ess_core/device/cpu/kernels/tests/test_data.h"
#include "ess_core/reference/attention.h"

namespace ess::cpu {
namespace {

constexpr float empty = std::numeric_limits<float>::infinity();

struct part {
  std::vector<float> out;
  std::vector<float> lse;
};

part merged(const part& a, const part& b) {
  const auto heads = a.lse.size();
  part m{std::vector<float>(a.out.size(), NAN), std::vector<float>(heads, NAN)};
  merge({.out = {a.out.data(), b.out.data()},
         .lse = {a.lse.data(), b.lse.data()},
         .heads = static_cast<int>(heads),
         .kv_lora = static_cast<int>(a.out.size() / heads),
         .merged = m.out.data(),
         .merged_lse = m.lse.data()});
  return m;
}

part random_part(std::size_t heads, std::size_t kv_lora, std::uint32_t stream) {
  return {test::random_floats(heads * kv_lora, stream), test::random_floats(heads, stream + 1, 5.0f)};
}

TEST(merge, equals_the_reference) {
  for (const std::size_t kv_lora : {1, 7, 16, 100, 512}) {
    part a = random_part(9, kv_lora, 1);
    part b = random_part(9, kv_lora, 3);
    a.lse[2] = b.lse[3] = a.lse[4] = b.lse[4] = empty;
    a.lse[5] = 400.0f;
    b.lse[6] = -400.0f;
    const auto expected = reference::merge_parts({a.out, a.lse}, {b.out, b.lse});
    const part m = merged(a, b);
    for (std::size_t h = 0; h < 9; ++h) {
      if (h == 4) {
        EXPECT_EQ(m.lse[h], empty);
      } else {
        EXPECT_NEAR(m.lse[h], expected.lse[h], 1e-6 * (1 + std::fabs(expected.lse[h])));
      }
    }
    for (std::size_t i = 0; i < m.out.size(); ++i) ASSERT_NEAR(m.out[i], expected.output[i], 3e-6) << i;
  }
}

TEST(merge, an_empty_part_is_not_even_read) {
  const part a = random_part(2, 32, 5);
  const part nothing{std::vector<float>(64, NAN), {empty, empty}};
  for (const part& m : {merged(a, nothing), merged(nothing, a)}) {
    EXPECT_TRUE(test::same_bits(m.out, a.out));
    EXPECT_TRUE(test::same_bits(m.lse, a.lse));
  }
  EXPECT_THAT(merged(nothing, nothing).out, testing::Each(0.0f));
  EXPECT_THAT(merged(nothing, nothing).lse, testing::Each(empty));
}

TEST(merge, works_in_place) {
  for (const int target : {0, 1}) {
    part parts[2] = {random_part(3, 48, 7), random_part(3, 48, 9)};
    const part expected = merged(parts[0], parts[1]);
    merge({.out = {parts[0].out.data(), parts[1].out.data()},
           .lse = {parts[0].lse.data(), parts[1].lse.data()},
           .heads = 3,
           .kv_lora = 48,
           .merged = parts[target].out.data(),
           .merged_lse = parts[target].lse.data()});
    EXPECT_TRUE(test::same_bits(parts[target].out, expected.out));
    EXPECT_TRUE(test::same_bits(parts[target].lse, expected.lse));
  }
}

}  // namespace
}  // namespace ess::cpu
