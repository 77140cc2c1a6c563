#include "harness/measure/cancellation.h"

#include <cstdlib>

namespace harness {
namespace {

TEST(cancellation, is_requested_by_the_first_signal) {
  for (const int number : {SIGINT, SIGTERM}) {
    const cancellation cancel;
    EXPECT_FALSE(cancel.requested());
    std::raise(number);
    EXPECT_TRUE(cancel.requested());
    EXPECT_EQ(cancel.signal(), number);
  }
}

TEST(cancellation, lets_a_second_signal_kill) {
  const auto twice = [](int first, int second) {
    const cancellation cancel;
    std::raise(first);
    std::raise(second);
    std::exit(0);
  };
  EXPECT_EXIT(twice(SIGINT, SIGINT), testing::KilledBySignal(SIGINT), "");
  EXPECT_EXIT(twice(SIGTERM, SIGINT), testing::KilledBySignal(SIGINT), "");
}

TEST(cancellation, restores_what_was_before_and_forgets) {
  std::signal(SIGINT, SIG_IGN);
  {
    const cancellation cancel;
    std::raise(SIGINT);
  }
  std::raise(SIGINT);  // ignored again
  EXPECT_EQ(std::signal(SIGINT, SIG_DFL), SIG_IGN);
  EXPECT_FALSE(cancellation().requested());
}

TEST(cancellation, is_one_at_a_time) {
  const cancellation cancel;
  EXPECT_THROW(cancellation(), cancellation_error);
}

}  // namespace
}  // namespace harness
