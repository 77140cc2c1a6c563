// Several ranks, as a user starts them; skipped where there is no MPI.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/command_line/tests/process.h"
#include "harness/command_line/tests/scratch_test.h"

namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ranks_command : public scratch_test {
 protected:
  void SetUp() override {
    if (!has_ranks()) GTEST_SKIP() << "no MPI";
  }

  // The same eight requests, over so many ranks.
  [[nodiscard]] std::vector<std::string> words(int ranks, std::vector<std::string> more = {}) const {
    std::vector<std::string> all = {
        "run", workload(), "--db", path("r.db"), "--set", "batch=" + std::to_string(8 / ranks), "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  [[nodiscard]] std::string workload() const {
    return file_with("w.json", R"({
      "name": "w", "description": "d", "kind": "fixed", "systems": ["all_gpu", "ess"], "model": {"preset": "tiny_moe"},
      "context_tokens": 200, "batch": 4, "steps": 3, "sparse_ratio": 0.4, "overlap": "da", "two_batch_overlap": true,
      "measure": {"warmup_steps": 1, "min_samples": 3, "max_samples": 3}, "accuracy": {"steps": 1, "requests": 1}})");
  }
};

nlohmann::json metric_of(const std::string& exported, const char* name) {
  nlohmann::json out = nlohmann::json::array();
  for (const auto& point : nlohmann::json::parse(exported).at("points"))
    out.push_back(point.at("metrics").at(name).at("median"));
  return out;
}

TEST_F(ranks_command, are_one_run_with_the_same_counts) {
  const finished one = run_program(words(1, {"--json"}));
  const finished four = run_ranks(4, words(4, {"--json"}));
  ASSERT_EQ(one.code, 0) << one.err;
  ASSERT_EQ(four.code, 0) << four.err;
  for (const char* name : {"hit_rate", "misses_per_layer_step", "h2d_bytes_per_step", "expert_imbalance"})
    EXPECT_EQ(metric_of(four.out, name), metric_of(one.out, name)) << name;
  const auto run = nlohmann::json::parse(four.out);
  EXPECT_EQ(run.at("environment").at("communicator"), "mpi");
  EXPECT_EQ(run.at("environment").at("ranks").size(), 4u);
  for (const auto& point : run.at("points")) {
    EXPECT_EQ(point.at("status"), "ok");
    EXPECT_EQ(point.at("settings").at("cluster.ep"), 4);
    EXPECT_EQ(point.at("metrics").at("ranks").at("median"), 4);
    EXPECT_GT(point.at("metrics").at("exchange_bytes_per_step").at("median"), 0);
    EXPECT_GT(point.at("metrics").at("exposed_exchange_us_per_layer").at("median"), 0);
  }
}

TEST_F(ranks_command, started_unlike_do_not_begin) {
  auto other = words(2);
  other.insert(other.end(), {"--set", "seed=9"});
  const finished both = run_unlike_ranks({words(2), other});
  EXPECT_EQ(both.code, 65) << both.err;
  EXPECT_THAT(both.err,
              HasSubstr("rank 1 differs from the first one in the workload (/seed: 1 on the first rank, 9"));
  EXPECT_FALSE(std::filesystem::exists(path("r.db")));
}

TEST_F(ranks_command, a_database_that_cannot_be_opened_ends_all) {
  const finished all = run_ranks(2, {"run", workload(), "--db", path("no/such/folder.db"), "--quiet"});
  EXPECT_EQ(all.code, 65) << all.err;
  EXPECT_THAT(all.err, HasSubstr("cannot open"));
  EXPECT_THAT(all.err, Not(HasSubstr("internal error")));
}

TEST_F(ranks_command, of_which_the_first_is_refused_end_at_once) {
  const auto sweep = words(2, {"--shard", "1/2"});
  ASSERT_EQ(run_ranks(2, sweep).code, 0);
  const finished again = run_ranks(2, sweep);
  EXPECT_EQ(again.code, 65) << again.err;
  EXPECT_THAT(again.err, HasSubstr("has this sweep already"));
  EXPECT_THAT(again.err, Not(HasSubstr("no answer")));
}

TEST_F(ranks_command, that_the_workload_is_not_for_are_a_reason) {
  const finished two = run_ranks(2, words(2, {"--json", "--set", "cluster.ep=4"}));
  EXPECT_EQ(two.code, 5) << two.err;
  EXPECT_THAT(two.out, HasSubstr("cluster.ep is 4 and this run has 2 ranks; start it with mpirun -n 4"));
}

TEST_F(ranks_command, are_not_for_a_simulation) {
  const finished two = run_ranks(2, {"run", "tiny", "--device", "sim:generic", "--db", path("r.db")});
  EXPECT_EQ(two.code, 64);
  EXPECT_THAT(two.err, HasSubstr("simulates all ranks in one process"));
}

class shard_command : public scratch_test {};

TEST_F(shard_command, put_together_are_the_run_that_was_not_split) {
  const std::string sweep = file_with("w.json", R"({
    "name": "w", "description": "d", "kind": "fixed", "systems": ["all_gpu", "ess"], "model": {"preset": "tiny"},
    "context_tokens": [128, 192, 256], "batch": [1, 2], "steps": 2, "sparse_ratio": 0.4,
    "measure": {"warmup_steps": 0, "min_samples": 2, "max_samples": 2}, "accuracy": {"steps": 1, "requests": 1}})");
  const finished whole = run_program({"run", sweep, "--db", path("whole.db"), "--json", "--quiet"});
  ASSERT_EQ(whole.code, 0) << whole.err;
  for (const char* part : {"3", "1", "2"}) {
    const finished shard = run_program({"run", sweep, "--db", path(part) + ".db", "--quiet", "--shard",
                                        std::string(part) + "/3", "--sweep", "a"});
    ASSERT_EQ(shard.code, 0) << shard.err;
  }
  for (const char* part : {"3", "1", "2", "1"})
    ASSERT_EQ(run_program({"import", path(part) + ".db", "--db", path("all.db")}).code, 0);
  const finished all = run_program({"export", "--db", path("all.db"), "--json"});
  ASSERT_EQ(all.code, 0) << all.err;
  const auto want = nlohmann::json::parse(whole.out).at("points");
  const auto got = nlohmann::json::parse(all.out).at("points");
  ASSERT_EQ(got.size(), 12u);
  for (std::size_t i = 0; i < got.size(); ++i) {
    for (const char* same : {"label", "status", "settings", "accuracy"})
      EXPECT_EQ(got[i].at(same), want[i].at(same));
    EXPECT_EQ(got[i].at("metrics").at("hit_rate"), want[i].at("metrics").at("hit_rate"));
  }
}

TEST_F(shard_command, again_into_the_same_database_is_resumed_or_refused) {
  const std::vector<std::string> words = {
      "run",   "tiny",    "--db",  path("s.db"),           "--quiet", "--shard", "1/2",
      "--set", "steps=2", "--set", "measure.min_samples=2"};
  ASSERT_EQ(run_program(words).code, 0);
  const finished again = run_program(words);
  EXPECT_EQ(again.code, 65);
  EXPECT_THAT(again.err, HasSubstr("has this sweep already; --resume goes on with it"));
  auto resumed = words;
  resumed.emplace_back("--resume");
  EXPECT_EQ(run_program(resumed).code, 0);
  EXPECT_EQ(run_program({"run", "tiny", "--shard", "3/2"}).code, 64);
  EXPECT_EQ(run_program({"run", "tiny", "--sweep", "a"}).code, 64);
}

}  // namespace
