#include "workloads/number_list.h"

namespace workloads {
namespace {

using numbers = std::vector<double>;

TEST(number_list, reads_numbers_between_blanks) {
  EXPECT_EQ(parse_number_list("0.5 1  1.5e1\t-2\n"), (numbers{0.5, 1, 15, -2}));
  EXPECT_EQ(parse_number_list(""), numbers{});
}

TEST(number_list, refuses_everything_else) {
  for (const char* text : {"1,2", "a", "1 2x", "0x10", "1 - 2"}) {
    EXPECT_FALSE(parse_number_list(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace workloads
