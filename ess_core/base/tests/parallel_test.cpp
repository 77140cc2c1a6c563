#include "ess_core/base/parallel.h"

#include <atomic>
#include <stdexcept>
#include <vector>

namespace ess {
namespace {

TEST(for_each_parallel, calls_each_piece_once_on_any_number_of_threads) {
  for (const int threads : {0, 1, 3, 50}) {
    std::vector<std::atomic<int>> calls(40);
    for_each_parallel(calls.size(), threads, [&](std::size_t i) { ++calls[i]; });
    for (const auto& count : calls) EXPECT_EQ(count, 1) << threads;
  }
  for_each_parallel(0, 2, [](std::size_t) { FAIL(); });
}

TEST(for_each_parallel, ends_with_the_first_exception) {
  std::atomic<int> calls = 0;
  const auto work = [&](std::size_t i) {
    ++calls;
    if (i == 3) throw std::runtime_error("piece 3");
  };
  EXPECT_THROW(for_each_parallel(1000, 1, work), std::runtime_error);
  EXPECT_EQ(calls, 4);
  EXPECT_THROW(for_each_parallel(1000, 4, work), std::runtime_error);
}

}  // namespace
}  // namespace ess
