// Several processes on one database, and a disk that is full: nothing is lost, nothing is there twice.
#include <fmt/format.h>
#include <sys/resource.h>

#include <filesystem>
#include <future>
#include <map>
#include <thread>

#include "harness/command_line/tests/process.h"
#include "harness/command_line/tests/scratch_test.h"
#include "results/run_claim.h"
#include "results/store.h"

namespace {

using testing::HasSubstr;
using words = std::vector<std::string>;

class reliability : public scratch_test {
 protected:
  [[nodiscard]] words run_of(const std::string& workload, words more = {}) const {
    words all = {"run",           workload, "--quiet",         "--db", database_.string(), "--set",
                 "cpu_threads=1", "--set",  "link.paced=false"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  [[nodiscard]] results::store store() const {
    return results::store::open(database_, {.mode = results::open_mode::read_only});
  }
  void expect_whole_runs(std::size_t runs) const {
    auto all = store();
    ASSERT_EQ(all.runs().size(), runs);
    for (const auto& summary : all.runs()) {
      EXPECT_EQ(summary.untried, 0);
      const auto run = all.load(summary.run.id);  // named: the loop refers to it
      ASSERT_TRUE(run);
      for (const auto& point : run->points) {
        EXPECT_EQ(point.attempts.size(), 1u) << point.point.label;
      }
    }
  }

  const std::filesystem::path database_ = folder_ / "r.db";
};

TEST_F(reliability, several_runs_at_once_share_a_database) {
  std::vector<std::future<finished>> all;
  for (const char* systems : {"ess", "ess", "all_gpu", "naive_gather"}) {
    all.push_back(std::async(std::launch::async, [&, systems] {
      return run_program(run_of("tiny", {"--system", systems}));
    }));
  }
  for (auto& one : all) {
    const finished done = one.get();
    EXPECT_EQ(done.code, 0) << done.err;
  }
  expect_whole_runs(4);
  std::map<std::string, int> runs_of_workload;
  for (const auto& summary : store().runs()) ++runs_of_workload[summary.workload_hash];
  EXPECT_EQ(runs_of_workload.size(), 3u);
}

TEST_F(reliability, a_run_that_somebody_works_on_is_not_resumed) {
  const words run = run_of("tiny", {"--system", "ess"}),
              resume = run_of("tiny", {"--system", "ess", "--resume"});
  ASSERT_EQ(run_program(run).code, 0);
  {
    const results::run_claim claim(database_, store().runs().at(0).run.id);
    const finished refused = run_program(resume);
    EXPECT_EQ(refused.code, 65);
    EXPECT_THAT(refused.err, HasSubstr("another essbench is working on run"));
    EXPECT_THAT(refused.err, HasSubstr("without --resume"));
    EXPECT_EQ(run_program(run).code, 0);  // a run of its own is in nobody's way
  }
  EXPECT_EQ(run_program(resume).code, 0);
  expect_whole_runs(2);
}

TEST_F(reliability, a_run_is_claimed_while_it_lasts) {
  auto running = std::async(std::launch::async, [&] {
    return run_program(run_of("tiny", {"--system", "ess", "--set", "measure.min_samples=900000", "--set",
                                       "measure.max_samples=1000000", "--set", "context_tokens=128"}),
                       {}, {.after = std::chrono::seconds(4), .signal = SIGKILL});
  });
  std::string id;
  while (id.empty() && running.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout) {
    try {
      if (const auto runs = store().runs(); !runs.empty()) id = runs[0].run.id;
    } catch (const results::store_error&) {  // not made yet
    }
  }
  if (id.empty()) GTEST_SKIP() << "too slow a machine: killed before its run began";
  EXPECT_THROW(results::run_claim(database_, id), results::store_error);
  running.wait();
  EXPECT_NO_THROW(results::run_claim(database_, id));
}

// Writes fail beyond the limit, as they do on a full disk.
TEST_F(reliability, a_full_disk_ends_a_run_that_can_be_resumed) {
  const finished full = run_program(run_of("tiny"), {}, {.most_file_bytes = 350'000});
  EXPECT_EQ(full.code, 65) << full.err;
  EXPECT_THAT(full.err, HasSubstr("r.db: cannot record attempt"));
  EXPECT_THAT(full.err, HasSubstr("resume the run"));
  const auto left = store().load(store().runs().at(0).run.id)->points;
  EXPECT_GT(std::ranges::count_if(left, [](const auto& point) { return point.attempts.empty(); }), 0);
  const finished resumed = run_program(run_of("tiny", {"--resume"}));
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  expect_whole_runs(1);
}

}  // namespace
