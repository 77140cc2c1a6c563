// `--device sim:PROFILE` as a script sees it.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "ess_core/locality/tests/scratch_folder.h"
#include "harness/command_line/tests/process.h"

namespace {

using nlohmann::json;
using testing::HasSubstr;

json points_of(const finished& run) {
  EXPECT_EQ(run.code, 0) << run.err;
  return json::parse(run.out).at("points");
}

const json& point_named(const json& points, const std::string& label) {
  const auto found = std::ranges::find_if(points, [&](const json& p) { return p.at("label") == label; });
  EXPECT_NE(found, points.end()) << label;
  return *found;
}

class simulation : public testing::Test {
 protected:
  // Every system on a small model with experts and drafts.
  [[nodiscard]] json run_tiny(const std::string& threads) {
    std::vector<std::string> words = {"run", "tiny", "--device", "sim:h200_ep32", "--json", "--quiet"};
    for (const char* set : {"model.preset=tiny_moe", "mtp=2", "mtp_accept=1.6", "two_batch_overlap=true"})
      words.insert(words.end(), {"--set", set});
    words.insert(words.end(), {"--set", "cpu_threads=" + threads});
    words.insert(words.end(), {"--db", (folder_ / (std::to_string(runs_++) + ".db")).string()});
    return points_of(run_program(words));
  }

  ess::scratch_folder folder_;
  int runs_ = 0;
};

// What is the same whenever, and by however many threads, it was computed.
json figures_of(const json& points) {
  json out = json::array();
  for (const json& point : points)
    out.push_back(
        {point.at("label"), point.at("status"), point.at("device"), point.at("clock"), point.at("metrics")});
  return out;
}

TEST_F(simulation, a_run_says_the_same_whoever_computes_it) {
  const json once = run_tiny("1");
  ASSERT_EQ(once.size(), 6u);
  for (const json& point : once) {
    EXPECT_EQ(point.at("status"), "ok") << point.at("label");
    EXPECT_EQ(point.at("device"), "sim:h200_ep32");
    EXPECT_EQ(point.at("clock"), "virtual");
    EXPECT_GT(point.at("metrics").at("step_time_us").at("median").get<double>(), 5000);  // step_us
  }
  EXPECT_EQ(figures_of(once), figures_of(run_tiny("1")));
  EXPECT_EQ(figures_of(once), figures_of(run_tiny("2")));
}

// Requests of some ten seconds, which nobody waits for.
TEST_F(simulation, serves_a_log_by_its_own_clock) {
  const auto serve = [&](const std::string& threads) {
    return figures_of(
        points_of(run_program({"run", "serve_quick", "--device", "sim:generic", "--set", "model.preset=tiny",
                               "--set", "requests.max_context_tokens=512", "--set", "cpu_threads=" + threads,
                               "--json", "--quiet", "--db", (folder_ / (threads + ".db")).string()})));
  };
  const json once = serve("1");
  for (const json& point : once)
    EXPECT_EQ(point.at(4).at("requests_finished").at("median"), 40) << point.at(0);
  EXPECT_EQ(once, serve("2"));
}

TEST_F(simulation, a_profile_that_there_is_not_is_answered_with_those_that_there_are) {
  const finished unknown = run_program({"plan", "tiny", "--device", "sim:nonsense"});
  EXPECT_EQ(unknown.code, 65);
  EXPECT_THAT(unknown.err, HasSubstr("no hardware profile of this name"));
  EXPECT_THAT(unknown.err, HasSubstr("h200"));
  EXPECT_EQ(run_program({"run", "tiny", "--device", "sim:nonsense"}).code, 65);
  const finished close = run_program({"plan", "tiny", "--device", "sim:h2000_ep32"});
  EXPECT_EQ(close.code, 65);
  EXPECT_THAT(close.err, HasSubstr("h200"));
  EXPECT_EQ(run_program({"plan", "tiny", "--device", "sim:h200_ep0"}).code, 65);
  EXPECT_EQ(run_program({"plan", "tiny", "--device", "simulated"}).code, 64);
}

TEST_F(simulation, plans_the_published_experiment) {
  const finished plan = run_program({"plan", "paper_32k", "--device", "sim:h200_ep32", "--json"});
  const json points = points_of(plan);
  for (const json& point : points) EXPECT_EQ(point.at("verdict"), "ok") << point.at("label");
  // Of 141 GB, 52 requests of 32K tokens fit as they are; 160 with a pool for a fifth of their rows.
  EXPECT_EQ(point_named(points, "all_gpu").at("batch"), 52);
  EXPECT_LT(point_named(points, "all_gpu").at("batch_max").get<int>(), 80);
  EXPECT_EQ(point_named(points, "ess").at("batch"), 160);
  const finished table = run_program({"plan", "paper_32k", "--device", "sim:h200_ep32"});
  EXPECT_EQ(table.code, 0);
  EXPECT_THAT(table.out, HasSubstr("unlimited"));  // the curve without a memory cap
}

}  // namespace
