#include "ess_core/device/cuda/kernels/merge.h"

#include <cmath>
#include <limits>

#include "ess_core/device/cpu/kernels/tests/test_data.h"
#include "ess_core/device/cuda/kernels/tests/device_memory.h"
#include "ess_core/reference/attention.h"

namespace ess::ESS_CUDA::test {
namespace {

using cpu::test::random_floats;
using cuda_merge = on_device;

constexpr float empty = std::numeric_limits<float>::infinity();

struct part {
  std::vector<float> out, lse;
};

part random_part(std::size_t heads, std::size_t kv_lora, std::uint32_t stream) {
  return {random_floats(heads * kv_lora, stream), random_floats(heads, stream + 1, 5.0f)};
}

part merged(const part& a, const part& b, int heads) {
  const device_array out(a.out), lse(a.lse), out_2(b.out), lse_2(b.lse);
  const auto lanes = static_cast<std::int32_t>(a.lse.size()) / heads;
  check(merge({.lanes = {.seats = nullptr, .first_seat = 0, .seat_count = lanes, .queries = 1},
               .heads = heads,
               .kv_lora = static_cast<int>(a.out.size() / a.lse.size()),
               .out = out.data(),
               .lse = lse.data(),
               .out_2 = out_2.data(),
               .lse_2 = lse_2.data()},
              nullptr));
  return {out.values(), lse.values()};
}

TEST_F(cuda_merge, equals_the_reference) {
  for (const std::size_t kv_lora : {16, 512}) {
    part a = random_part(9, kv_lora, 1);
    part b = random_part(9, kv_lora, 3);
    a.lse[2] = b.lse[3] = a.lse[4] = b.lse[4] = empty;
    a.lse[5] = 400.0f;
    b.lse[6] = -400.0f;
    const auto expected = reference::merge_parts({a.out, a.lse}, {b.out, b.lse});
    const part m = merged(a, b, 3);
    for (std::size_t h = 0; h < 9; ++h) {
      if (h == 4) {
        EXPECT_EQ(m.lse[h], empty);
      } else {
        EXPECT_NEAR(m.lse[h], expected.lse[h], 2e-6 * (1 + std::fabs(expected.lse[h])));
      }
    }
    for (std::size_t i = 0; i < m.out.size(); ++i) ASSERT_NEAR(m.out[i], expected.output[i], 5e-6) << i;
  }
}

TEST_F(cuda_merge, an_empty_part_is_not_even_read) {
  const part a = random_part(2, 32, 5);
  const part nothing{std::vector<float>(64, NAN), {empty, empty}};
  for (const part& m : {merged(a, nothing, 2), merged(nothing, a, 2)}) {
    EXPECT_TRUE(cpu::test::same_bits(m.out, a.out));
    EXPECT_TRUE(cpu::test::same_bits(m.lse, a.lse));
  }
}

}  // namespace
}  // namespace ess::ESS_CUDA::test
