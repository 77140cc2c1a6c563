#include "harness/gating/noise_draws.h"

#include <algorithm>
#include <set>

#include "harness/gating/tests/recordings.h"

namespace harness {
namespace {

// Every run at its own level, without noise: a median tells which run it is of.
noise_recording levels(std::size_t runs) {
  noise_recording made = testing::made_up(runs, 0, 0);
  for (recorded_point& point : made.points) {
    for (std::size_t run = 0; run < runs; ++run)
      std::ranges::fill(point.runs[run], 1000.0 + static_cast<double>(run));
  }
  return made;
}

TEST(noise_draws, the_same_number_gives_the_same_arms) {
  const noise_recording of = testing::made_up(10, 0.02, 0.05);
  const noise_draws draws(of, all_runs(of), 7);
  const auto once = draws.draw(3, 8, draw_order::interleaved),
             again = draws.draw(3, 8, draw_order::interleaved);
  EXPECT_EQ(once[0].before, again[0].before);
  EXPECT_NE(once[0].before, draws.draw(4, 8, draw_order::interleaved)[0].before);
  EXPECT_NE(once[0].before, noise_draws(of, all_runs(of), 8).draw(3, 8, draw_order::interleaved)[0].before);
}

TEST(noise_draws, blocks_are_of_neighbours_either_way_round) {
  const noise_recording of = levels(9);
  const noise_draws draws(of, {2, 8}, 1);
  std::set<double> seen, steps;
  for (std::uint64_t number = 0; number < 50; ++number) {
    const auto drawn = draws.draw(number, 10, draw_order::interleaved);
    EXPECT_EQ(drawn[0].before, drawn[1].before);  // points of one run
    for (std::size_t i = 0; i < 10; ++i) {
      seen.insert(drawn[0].before[i]);
      steps.insert(drawn[0].after[i] - drawn[0].before[i]);
    }
  }
  EXPECT_EQ(seen, (std::set<double>{1002, 1003, 1004, 1005, 1006, 1007}));
  EXPECT_EQ(steps, (std::set<double>{-1, 1}));
}

TEST(noise_draws, sequential_arms_are_stretches_of_runs_that_differ) {
  const noise_recording of = levels(12);
  const noise_draws draws(of, all_runs(of), 1);
  for (std::uint64_t number = 0; number < 50; ++number) {
    const auto drawn = draws.draw(number, 4, draw_order::sequential)[0];
    const auto number_of = [](double us) { return static_cast<int>(us) - 1000; };
    for (std::size_t i = 1; i < 4; ++i) {
      EXPECT_EQ((number_of(drawn.before[i - 1]) + 1) % 12, number_of(drawn.before[i]));
      EXPECT_EQ((number_of(drawn.after[i - 1]) + 1) % 12, number_of(drawn.after[i]));
    }
    EXPECT_NE(drawn.before[0], drawn.after[0]);
  }
}

TEST(noise_draws, a_floor_grows_with_the_noise_and_falls_with_blocks) {
  const noise_recording calm = testing::made_up(20, 0.01, 0.02), wild = testing::made_up(20, 0.10, 0.02);
  const auto floor = [](const noise_recording& of, std::size_t blocks) {
    return floors_of(of, all_runs(of), blocks, 1000, 1).at({"slow", "step_time_us"});
  };
  EXPECT_GT(floor(wild, 10).interleaved, 4 * floor(calm, 10).interleaved);
  EXPECT_LT(floor(wild, 40).interleaved, 0.7 * floor(wild, 10).interleaved);
  EXPECT_GT(floor(wild, 10).sequential, floor(calm, 10).sequential);
}

}  // namespace
}  // namespace harness
