#include "harness/gating/arms.h"

#include "results/tests/scratch.h"

namespace harness {
namespace {

using results::testing::a_run;
using results::testing::a_workload;
using results::testing::an_environment;

class arms : public ::testing::Test {
 protected:
  std::string begin(const std::string& id, const std::string& workload, const std::string& revision) {
    results::run_record run = a_run(id);
    run.workload_name = workload;
    run.git_revision = revision;
    results::workload_record record = a_workload();
    record.name = workload;
    record.hash = "hash of " + workload;
    return store_.begin_run(run, an_environment(), record);
  }

  std::vector<std::string> ids(const std::string& workload) {
    std::vector<std::string> found;
    for (const results::loaded_run& run : load_arm(store_, workload)) found.push_back(run.run.id);
    return found;
  }

  results::testing::scratch_folder folder_;
  results::store store_ = results::store::open(folder_ / "a.db");
};

TEST_F(arms, nothing_of_an_empty_database) { EXPECT_TRUE(ids("").empty()); }

TEST_F(arms, are_the_runs_of_the_last_build) {
  begin("1", "gate", "old");
  begin("2", "gate", "new");
  begin("3", "quick", "new");
  begin("4", "gate", "new");
  EXPECT_EQ(ids(""), (std::vector<std::string>{"2", "4"}));
  EXPECT_EQ(ids("quick"), (std::vector<std::string>{"3"}));
  EXPECT_TRUE(ids("other").empty());
  begin("5", "quick", "new");
  EXPECT_EQ(ids(""), (std::vector<std::string>{"3", "5"}));
}

}  // namespace
}  // namespace harness
