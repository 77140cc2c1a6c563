#include "ess_core/device/cpu/kernels/row_copy.h"

#include "ess_core/device/cpu/kernels/tests/test_data.h"

namespace ess::cpu {
namespace {

class row_copy_with : public testing::TestWithParam<row_stores> {};

// More rows than are asked for ahead, at places of every alignment.
TEST_P(row_copy_with, rows_land_where_told_and_nothing_else_changes) {
  constexpr std::int32_t rows = 200;
  for (const std::int64_t row_bytes : {1, 16, 63, 64, 65, 127, 132, 576, 656, 1152}) {
    const std::int64_t from_pitch = row_bytes + 48, to_pitch = row_bytes + (row_bytes % 3);
    const auto from = test::random_codes(static_cast<std::size_t>(rows * from_pitch), 1);
    std::vector<std::uint8_t> to(static_cast<std::size_t>(rows * to_pitch + 7), 0xee);
    auto expected = to;
    std::vector<std::int32_t> from_rows, to_rows;
    for (std::int32_t i = 0; i < 150; ++i) {
      from_rows.push_back(i * 37 % rows);
      to_rows.push_back(i * 91 % rows);
      std::memcpy(&expected[7 + to_rows.back() * to_pitch], &from[from_rows.back() * from_pitch],
                  static_cast<std::size_t>(row_bytes));
    }
    EXPECT_EQ(copy_rows({.from = from.data(),
                         .from_pitch = from_pitch,
                         .from_rows = from_rows.data(),
                         .to = to.data() + 7,
                         .to_pitch = to_pitch,
                         .to_rows = to_rows.data(),
                         .n = 150,
                         .row_bytes = row_bytes,
                         .stores = GetParam()}),
              150 * row_bytes);
    EXPECT_EQ(to, expected) << row_bytes;
  }
}

INSTANTIATE_TEST_SUITE_P(stores, row_copy_with, testing::Values(row_stores::cached, row_stores::streaming));

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
