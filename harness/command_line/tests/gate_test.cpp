// Gates as CI runs them: databases, programs that take turns, exit codes.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "harness/command_line/tests/process.h"
#include "harness/command_line/tests/scratch_test.h"

namespace {

using testing::HasSubstr;

class gate_command : public scratch_test {
 protected:
  // An essbench that also sets `set`.
  [[nodiscard]] std::string program_with(const std::string& set) const {
    const std::string file = path("slower");
    std::ofstream(file) << "#!/bin/sh\nexec '" << ESSBENCH_PROGRAM << "' \"$@\" --set " << set << "\n";
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    return file;
  }

  [[nodiscard]] finished gate(const std::string& candidate, std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"gate",
                                      "--baseline",
                                      path("before.db"),
                                      "--candidate",
                                      path("after.db"),
                                      "--workload",
                                      "tiny",
                                      "--system",
                                      "ess",
                                      "--set",
                                      "link.paced=true",
                                      "--baseline-program",
                                      ESSBENCH_PROGRAM,
                                      "--candidate-program",
                                      candidate,
                                      "--blocks",
                                      "6"};
    words.insert(words.end(), more.begin(), more.end());
    return run_program(words);
  }
  [[nodiscard]] finished judge(std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"gate", "--baseline", path("before.db"), "--candidate",
                                      path("after.db")};
    words.insert(words.end(), more.begin(), more.end());
    return run_program(words);
  }
};

// A link so slow that a step of tiny takes fifty times as long: seen on any machine, however busy.
TEST_F(gate_command, a_slower_program_is_measured_again_and_its_operation_named) {
  const finished made = gate(program_with("link.gather_gb_per_s=0.0005"));
  EXPECT_EQ(made.code, 1) << made.out << made.err;
  EXPECT_THAT(made.out, HasSubstr("slower"));
  EXPECT_THAT(made.out, HasSubstr("fetch "));
  EXPECT_THAT(made.err, HasSubstr("measured again"));
  EXPECT_THAT(made.err, HasSubstr("block 12:"));
  const finished stored = judge({"--json"});  // what both stored says the same again
  EXPECT_EQ(stored.code, 1);
  const auto all = nlohmann::json::parse(stored.out);
  EXPECT_EQ(all.at("after").at("runs"), 12);
  EXPECT_EQ(all.at("judgements").at(0).at("verdict"), "slower");
  EXPECT_THAT(judge({"--markdown"}).out, HasSubstr("| slower |"));
}

TEST_F(gate_command, too_few_blocks_decide_nothing) {
  const finished made = gate(ESSBENCH_PROGRAM, {"--blocks", "1"});
  EXPECT_EQ(made.code, 64);  // twice the same option
  for (const char* database : {"before.db", "after.db"})
    EXPECT_EQ(run_program({"run", "tiny", "--system", "ess", "--db", path(database), "--quiet"}).code, 0);
  EXPECT_EQ(judge().code, 0);
  EXPECT_THAT(judge().out, HasSubstr("1 block; a verdict takes 6"));
  EXPECT_EQ(judge({"--strict"}).code, 2);
}

TEST_F(gate_command, says_what_is_missing) {
  EXPECT_EQ(judge().code, 65);
  EXPECT_THAT(judge().err, HasSubstr("after.db: cannot open: no such file"));
  EXPECT_EQ(gate(path("nothing")).code, 64);
  EXPECT_EQ(judge({"--system", "ess"}).code, 64);
  EXPECT_EQ(judge({"--baseline-program", ESSBENCH_PROGRAM}).code, 64);
  EXPECT_EQ(run_program({"run", "tiny", "--system", "ess", "--db", path("after.db"), "--quiet"}).code, 0);
  const finished other = judge({"--workload", "quick"});
  EXPECT_EQ(other.code, 65);
  EXPECT_THAT(other.err, HasSubstr("holds no run of workload 'quick'"));
}

TEST_F(gate_command, a_program_that_cannot_run_the_workload_is_incomparable) {
  const finished made = gate("/bin/false");
  EXPECT_EQ(made.code, 4);
  EXPECT_THAT(made.err, HasSubstr("/bin/false ended with exit code 1"));
}

TEST_F(gate_command, noise_is_recorded_kept_and_used) {
  const finished made =
      run_program({"noise", "tiny", "--system", "ess", "--runs", "8", "--db", path("noise.db"), "--out",
                   path("noise.json"), "--pairs", "20", "--json"});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_EQ(nlohmann::json::parse(made.out).at("pairs"), 20);
  const finished again = run_program({"noise", "--from", path("noise.json"), "--pairs", "20", "--json"});
  EXPECT_EQ(again.out, made.out);
  const finished text = run_program({"noise", "--from", path("noise.json"), "--pairs", "20"});
  EXPECT_THAT(text.out, HasSubstr("20 pairs of arms that differ by nothing"));
  const finished gated = gate(ESSBENCH_PROGRAM, {"--noise", path("noise.json"), "--json"});
  EXPECT_TRUE(gated.code == 0 || gated.code == 1)
      << gated.err;  // a floor of eight runs of a tiny step is no good one
  for (const auto& judged : nlohmann::json::parse(gated.out).at("judgements"))
    EXPECT_EQ(judged.at("floor_is_measured"), judged.at("metric") == "step_time_us") << judged;
  EXPECT_EQ(gate(ESSBENCH_PROGRAM, {"--noise", path("before.db")}).code, 65);
  EXPECT_EQ(run_program({"noise", "--from", path("none.json")}).code, 65);
}

}  // namespace
