#include "ess_core/device/cpu/worker_team.h"

#include <atomic>
#include <latch>
#include <vector>

#include "ess_core/device/cpu/thread_place.h"

namespace ess::cpu {
namespace {

using testing::Each;
using testing::ElementsAre;

TEST(worker_team, does_every_part_once_whatever_the_number_of_threads) {
  for (const int threads : {1, 2, 3, 8}) {
    worker_team team(threads);
    EXPECT_EQ(team.threads(), threads);
    for (const std::int32_t parts : {0, 1, 2, 7, 100}) {
      std::vector<std::atomic<int>> done(static_cast<std::size_t>(parts));
      team.for_each(parts, [&](std::int32_t part, int thread) {
        EXPECT_GE(thread, 0);
        EXPECT_LT(thread, threads);
        ++done[static_cast<std::size_t>(part)];
      });
      std::vector<int> counts(done.begin(), done.end());
      EXPECT_THAT(counts, Each(1)) << parts << " parts, " << threads << " threads";
    }
  }
}

TEST(worker_team, many_short_rounds_lose_no_wake_up) {
  worker_team team(3);
  std::atomic<int> sum{0};
  for (int round = 0; round < 3000; ++round)
    team.for_each(3, [&](std::int32_t part, int) { sum += part + 1; });
  EXPECT_EQ(sum, 3000 * 6);
}

TEST(worker_team, keeps_its_threads_apart_only_if_there_is_a_core_for_each) {
  const std::vector<int> cores = usable_cores();
  EXPECT_FALSE(worker_team(1).core_of_caller());
  EXPECT_FALSE(worker_team(static_cast<int>(cores.size()) + 1).core_of_caller());
  if (cores.size() < 2) GTEST_SKIP() << "one core only";
  worker_team team(2);
  EXPECT_EQ(team.core_of_caller(), cores[0]);
  std::latch both_at_work(2);  // so that each thread takes one part
  std::vector<int> place;
  team.for_each(2, [&](std::int32_t, int thread) {
    both_at_work.arrive_and_wait();
    if (thread == 1) place = usable_cores();
  });
  EXPECT_THAT(place, ElementsAre(cores[1]));
}

TEST(thread_place, is_left_as_it_was) {
  const std::vector<int> before = usable_cores();
  ASSERT_FALSE(before.empty());
  {
    const kept_on_core kept(before.back());
    EXPECT_THAT(usable_cores(), ElementsAre(before.back()));
  }
  EXPECT_EQ(usable_cores(), before);
}

}  // namespace
}  // namespace ess::cpu
