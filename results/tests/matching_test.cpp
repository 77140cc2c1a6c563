#include "results/matching.h"

#include "results/tests/example_run.h"

namespace results {
namespace {

environment a_machine() {
  return {{"cpu", {{"model", "Example 3000"}, {"usable_cores", 2}, {"smt", false}}},
          {"memory", {{"total_bytes", 25'000'000'000}, {"available_bytes", 7}}},
          {"system", {{"host_hash", "a"}, {"kernel", "6.1"}}},
          {"build", {{"type", "Release"}, {"compiler_version", "12.2.0"}, {"git_revision", "abc"}}}};
}

std::vector<std::string> unlike(const environment& a, const environment& b) {
  std::vector<std::string> lines;
  for (const difference& d : unlike_environments(a, b)) lines.push_back(d.path + " " + d.a + " " + d.b);
  return lines;
}

TEST(matching, environments_are_alike_where_times_should_be) {
  environment other = a_machine();
  other["system"] = {{"host_hash", "b"}, {"kernel", "6.2"}};
  other["build"]["compiler_version"] = "13.1.0";
  other["build"]["git_revision"] = "def";
  other["memory"] = {{"total_bytes", 24'000'000'000}, {"available_bytes", 9}};
  EXPECT_TRUE(unlike(a_machine(), other).empty());
}

TEST(matching, environments_are_unlike_where_times_would_differ) {
  environment other = a_machine();
  other["cpu"]["model"] = "Example 4000";
  other["build"]["type"] = "Debug";
  other["gpu"] = {{"name", "H200"}};
  other["memory"]["total_bytes"] = 50'000'000'000;
  EXPECT_EQ(unlike(a_machine(), other),
            (std::vector<std::string>{"environment.cpu.model \"Example 3000\" \"Example 4000\"",
                                      "environment.gpu.name null \"H200\"",
                                      "environment.build.type \"Release\" \"Debug\"",
                                      "environment.memory.total_bytes 25000000000 50000000000"}));
}

TEST(matching, simulations_are_alike_if_their_hardware_is) {
  environment here = a_machine(), there = a_machine();
  there["cpu"]["model"] = "Example 4000";
  here["simulated"] = {{"profile", "h200"}, {"sha256", "1"}};
  there["simulated"] = here["simulated"];
  EXPECT_TRUE(unlike(here, there).empty());
  there["simulated"]["sha256"] = "2";
  EXPECT_EQ(unlike(here, there).size(), 1u);
}

}  // namespace
}  // namespace results
