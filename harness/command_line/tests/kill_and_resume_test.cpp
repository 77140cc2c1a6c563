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

struct killed_run {
  const char* name;
  const char* device;
  int ranks = 1;
};
void PrintTo(const killed_run& of, std::ostream* out) { *out << of.name; }

// How long ranks may take to end once one of them is lost: their patience (kill_and_resume.cpp), and ten
// seconds for telling, storing and stopping.
constexpr std::chrono::seconds end_of_ranks{3 + 10};

class kill_and_resume_test : public testing::TestWithParam<killed_run> {};

TEST_P(kill_and_resume_test, a_killed_run_ends_as_an_unbroken_one) {
  const auto [name, device, ranks] = GetParam();
  if (ranks > 1 && !has_ranks()) GTEST_SKIP() << "no MPI";
  const unsigned rounds = number_in("ESSBENCH_KILL_ROUNDS", 3);
  const unsigned seed = number_in("ESSBENCH_KILL_SEED", std::random_device()());
  const ess::scratch_folder folder;
  kill_and_resume killer(folder / ".", device, seed, ranks);
  int kills = 0, wrong = 0, with_none = 0, with_some = 0;
  std::chrono::milliseconds longest_end{};
  for (unsigned i = 0; i < rounds; ++i) {
    const auto round = killer.round();
    kills += round.kills;
    wrong += round.differences.empty() ? 0 : 1;
    with_none += round.points_before == 0 ? 1 : 0;
    with_some += round.points_before > 0 && round.points_before < static_cast<int>(killer.points()) ? 1 : 0;
    longest_end = std::max(longest_end, round.longest_end);
    EXPECT_TRUE(round.differences.empty())
        << fmt::format("round {}, seed {}:\n{}", i, seed, fmt::join(round.differences, "\n"));
    EXPECT_TRUE(ranks == 1 || round.longest_end < end_of_ranks) << "round " << i << ", seed " << seed;
  }
  fmt::print(
      "{}: {} rounds, {} of them wrong; {} kills; the first one left no point in {} rounds, some in {}; seed "
      "{}, "
      "{} points, unbroken {} ms; {} ms from a kill to the end at most\n",
      name, rounds, wrong, kills, with_none, with_some, seed, killer.points(), killer.unbroken_time().count(),
      longest_end.count());
}

// The simulator stores point by point; points of the CPU device take turns and end together.
INSTANTIATE_TEST_SUITE_P(devices, kill_and_resume_test,
                         testing::Values(killed_run{"cpu", "cpu"}, killed_run{"simulated", "sim:generic"},
                                         killed_run{"ranks", "cpu", 4}),
                         [](const auto& of) { return of.param.name; });

}  // namespace
