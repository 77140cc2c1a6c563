#include "harness/command_line/tests/kill_and_resume.h"

#include <fmt/format.h>

#include <cstdlib>

#include "ess_core/locality/tests/scratch_folder.h"

namespace {

// A variable of the environment that ci/kill-and-resume sets.
unsigned number_in(const char* variable, unsigned otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : static_cast<unsigned>(std::stoul(text));
}

class kill_and_resume_test : public testing::TestWithParam<const char*> {};

TEST_P(kill_and_resume_test, a_killed_run_ends_as_an_unbroken_one) {
  const unsigned rounds = number_in("ESSBENCH_KILL_ROUNDS", 3);
  const unsigned seed = number_in("ESSBENCH_KILL_SEED", std::random_device()());
  const ess::scratch_folder folder;
  kill_and_resume killer(folder / ".", GetParam(), seed);
  int kills = 0, wrong = 0, with_none = 0, with_some = 0;
  for (unsigned i = 0; i < rounds; ++i) {
    const auto round = killer.round();
    kills += round.kills;
    wrong += round.differences.empty() ? 0 : 1;
    with_none += round.points_before == 0 ? 1 : 0;
    with_some += round.points_before > 0 && round.points_before < static_cast<int>(killer.points()) ? 1 : 0;
    EXPECT_TRUE(round.differences.empty())
        << fmt::format("round {}, seed {}:\n{}", i, seed, fmt::join(round.differences, "\n"));
  }
  fmt::print(
      "{}: {} rounds, {} of them wrong; {} kills; the first one left no point in {} rounds, some in {}; seed "
      "{}, "
      "{} points, unbroken {} ms\n",
      GetParam(), rounds, wrong, kills, with_none, with_some, seed, killer.points(),
      killer.unbroken_time().count());
}

// The simulator stores point by point; points of the CPU device take turns and end together.
INSTANTIATE_TEST_SUITE_P(devices, kill_and_resume_test, testing::Values("cpu", "sim:generic"),
                         [](const auto& of) { return of.index == 0 ? "cpu" : "simulated"; });

}  // namespace
