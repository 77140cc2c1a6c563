#include "ess_core/device/cpu/kernels/row_copy.h"

#include "ess_core/device/cpu/kernels/tests/test_data.h"

namespace ess::cpu {
namespace {

TEST(row_copy, rows_land_where_told_and_nothing_else_changes) {
  constexpr std::int64_t from_pitch = 704, to_pitch = 656, row = 656;
  const auto from = test::random_codes(40 * from_pitch, 1);
  std::vector<std::uint8_t> to(40 * to_pitch, 0xee);
  const std::vector<std::int32_t> from_rows = {3, 39, 0, 3, 17, 4, 5, 6, 7, 8, 9, 10};
  const std::vector<std::int32_t> to_rows = {0, 1, 39, 20, 2, 3, 4, 5, 6, 7, 8, 9};
  auto expected = to;
  for (std::size_t i = 0; i < to_rows.size(); ++i)
    std::memcpy(&expected[to_rows[i] * to_pitch], &from[from_rows[i] * from_pitch], row);
  EXPECT_EQ(copy_rows({.from = from.data(),
                       .from_pitch = from_pitch,
                       .from_rows = from_rows.data(),
                       .to = to.data(),
                       .to_pitch = to_pitch,
                       .to_rows = to_rows.data(),
                       .n = 12,
                       .row_bytes = row}),
            12 * row);
  EXPECT_EQ(to, expected);
}

TEST(row_copy, no_rows_are_no_bytes) {
  EXPECT_EQ(copy_rows({.from = nullptr,
                       .from_pitch = 656,
                       .from_rows = nullptr,
                       .to = nullptr,
                       .to_pitch = 656,
                       .to_rows = nullptr,
                       .n = 0,
                       .row_bytes = 656}),
            0);
}

}  // namespace
}  // namespace ess::cpu
