// `essbench import` as a script sees it.
#include <SQLiteCpp/SQLiteCpp.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "harness/command_line/tests/process.h"
#include "harness/command_line/tests/scratch_test.h"

namespace {

using testing::HasSubstr;

class import_command : public scratch_test {};

TEST_F(import_command, merges_databases_once_and_says_where_runs_came_from) {
  for (const char* name : {"a.db", "b.db"}) {
    ASSERT_EQ(run_program({"run", "tiny", "--system", "all_gpu", "--quiet", "--db", path(name)}).code, 0);
  }
  const finished first =
      run_program({"import", path("a.db"), path("b.db"), "--db", path("all.db"), "--json"});
  ASSERT_EQ(first.code, 0) << first.err;
  const auto report = nlohmann::json::parse(first.out);
  ASSERT_EQ(report.size(), 2u);
  EXPECT_EQ(report[1]["file"], path("b.db"));
  EXPECT_EQ(report[1]["runs"]["added"], 1);
  EXPECT_EQ(report[1]["attempts"]["there"], 0);
  const finished again = run_program({"import", path("a.db"), "--db", path("all.db")});
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.out, HasSubstr("0 (+1 there)"));
  const finished runs = run_program({"show", "--runs", "--db", path("all.db")});
  EXPECT_EQ(std::ranges::count(runs.out, '\n'), 2);
  EXPECT_THAT(runs.out, HasSubstr("from " + path("a.db") + "\n"));
  const auto exported = nlohmann::json::parse(run_program({"export", "--db", path("all.db")}).out);
  EXPECT_EQ(exported["imports"][0]["file"], path("b.db"));
  EXPECT_EQ(exported["imports"][0]["essbench_version"], exported["run"]["essbench_version"]);
}

constexpr const char* benchmark_report = R"({
  "context": {"date": "2025-11-24T02:00:00+02:00", "host_name": "secret", "executable": "./ess_some_bench"},
  "benchmarks": [{"run_name": "gather", "run_type": "iteration", "real_time": 2.0e+00, "cpu_time": 1.0e+00}]})";

TEST_F(import_command, recognises_json_of_google_benchmark) {
  const std::string file = file_with("bench.json", benchmark_report);
  const finished first = run_program({"import", file, "--db", path("all.db"), "--json"});
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(nlohmann::json::parse(first.out)[0]["kind"], "google_benchmark");
  const finished again = run_program({"import", "--benchmark", file, "--db", path("all.db"), "--json"});
  EXPECT_EQ(nlohmann::json::parse(again.out)[0]["runs"]["there"], 1) << again.err;
  const finished shown = run_program({"export", "--db", path("all.db")});
  EXPECT_EQ(nlohmann::json::parse(shown.out)["run"]["workload"], "benchmark:ess_some_bench");
  EXPECT_EQ(shown.out.find("secret"), std::string::npos);
  const finished broken =
      run_program({"import", file, file_with("broken.json", "{"), "--db", path("all.db")});
  EXPECT_EQ(broken.code, 65);
  EXPECT_THAT(broken.err, HasSubstr("broken.json"));
  EXPECT_THAT(broken.out, HasSubstr("bench.json"));
}

// What import needs of an Nsight Systems export, with one range; results/import/tests has whole ones.
constexpr const char* nsight_export = R"(
CREATE TABLE StringIds (id INTEGER PRIMARY KEY, value TEXT);
CREATE TABLE NVTX_EVENTS (start INTEGER, end INTEGER, eventType INTEGER, text TEXT, textId INTEGER,
  globalTid INTEGER, domainId INTEGER);
INSERT INTO NVTX_EVENTS VALUES (0, NULL, 75, 'essbench', NULL, 16777217, 1),
  (1000, 9000, 59, 'point all_gpu', NULL, 16777217, 1);)";

TEST_F(import_command, adds_what_nsight_systems_saw_to_a_run) {
  ASSERT_EQ(run_program({"run", "tiny", "--system", "all_gpu", "--quiet", "--db", path("a.db")}).code, 0);
  SQLite::Database(path("r.sqlite"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec(nsight_export);
  const finished none = run_program({"show", "--profile", "--db", path("a.db")});
  EXPECT_THAT(none.out, HasSubstr("has no profile"));
  const finished added = run_program({"import", "--nsys", path("r.sqlite"), "--db", path("a.db"), "--json"});
  ASSERT_EQ(added.code, 0) << added.err;
  EXPECT_EQ(nlohmann::json::parse(added.out)[0]["profiles"]["added"], 1);
  const finished shown = run_program({"show", "--profile", "--db", path("a.db")});
  EXPECT_THAT(shown.out, HasSubstr("no kernels and no copies"));
  EXPECT_THAT(shown.out, testing::ContainsRegex("point +1 +8.0"));
  const finished other = run_program({"import", "--nsys", path("a.db"), "--db", path("a.db")});
  EXPECT_EQ(other.code, 65);
  EXPECT_THAT(other.err, HasSubstr("it has no table NVTX_EVENTS"));
  EXPECT_EQ(run_program({"import", path("a.db"), "--run", "x", "--db", path("b.db")}).code, 64);
}

TEST_F(import_command, tells_what_is_wrong_with_a_file_and_what_was_done_before_it) {
  ASSERT_EQ(run_program({"run", "tiny", "--system", "all_gpu", "--quiet", "--db", path("a.db")}).code, 0);
  const std::string text =
      file_with("text.db", "this is no database, whatever its name says; it is long enough");
  const finished broken = run_program({"import", path("a.db"), text, "--db", path("all.db")});
  EXPECT_EQ(broken.code, 65);
  EXPECT_THAT(broken.err, HasSubstr("text.db: cannot import"));
  EXPECT_THAT(broken.out, HasSubstr("a.db"));
  const finished itself = run_program({"import", path("a.db"), "--db", path("a.db")});
  EXPECT_EQ(itself.code, 65);
  EXPECT_THAT(itself.err, HasSubstr("hint: name another file"));
  EXPECT_EQ(run_program({"import", "--db", path("all.db")}).code, 64);
}

}  // namespace
