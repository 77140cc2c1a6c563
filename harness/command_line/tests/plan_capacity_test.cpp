// essbench plan-capacity as a script sees it.
#include <nlohmann/json.hpp>

#include "harness/command_line/tests/process.h"

namespace {

using testing::HasSubstr;

// Four layers at a short context: quick.
finished plan_small(const std::vector<std::string>& more) {
  std::vector<std::string> words = {"plan-capacity",
                                    "--profile",
                                    "h200_ep32",
                                    "--context",
                                    "8192",
                                    "--set",
                                    "model.layers=4",
                                    "--set",
                                    "steps=4",
                                    "--ratios",
                                    "0.3",
                                    "--mtp-depths",
                                    "1,2",
                                    "--overlaps",
                                    "da",
                                    "--set",
                                    "device_budget_bytes=20000000000"};
  words.insert(words.end(), more.begin(), more.end());
  return run_program(words);
}

TEST(plan_capacity, prints_the_best_the_front_and_where_it_comes_from) {
  const finished done = plan_small({"--slo-tpot-ms", "20", "--gpu-hour-price", "2.5"});
  ASSERT_EQ(done.code, 0) << done.err;
  for (const char* part : {"best: ", "times the best", "MTP depth", "front", "cost",
                           "simulated, nothing measured", "profile h200_ep32, SHA-256 "})
    EXPECT_THAT(done.out, HasSubstr(part));
}

TEST(plan_capacity, is_byte_stable) {
  const finished once = plan_small({"--slo-tpot-ms", "20", "--json"});
  const finished again = plan_small({"--slo-tpot-ms", "20", "--json", "--set", "cpu_threads=1"});
  ASSERT_EQ(once.code, 0) << once.err;
  EXPECT_EQ(once.out, again.out);
  const auto answer = nlohmann::json::parse(once.out);
  EXPECT_EQ(answer.at("clock"), "virtual");
  for (const auto& point : answer.at("front")) EXPECT_LE(point.at("tpot_ms").get<double>(), 20);
}

TEST(plan_capacity, an_impossible_limit_is_exit_code_5_with_what_was_reached) {
  const finished done = plan_small({"--slo-tpot-ms", "0.01"});
  EXPECT_EQ(done.code, 5);
  EXPECT_THAT(done.err, HasSubstr("the lowest reached is"));
}

TEST(plan_capacity, bad_arguments_are_exit_code_64_with_a_hint) {
  const auto refused = [](const std::vector<std::string>& more) {
    const finished done = plan_small(more);
    EXPECT_EQ(done.code, 64) << done.err;
    return done.err;
  };
  EXPECT_THAT(refused({}), HasSubstr("--slo-tpot-ms"));
  EXPECT_THAT(refused({"--slo-tpot-ms", "20", "--accept", "2.5"}), HasSubstr("keeps 1 to 2 tokens"));
  EXPECT_THAT(refused({"--slo-tpot-ms", "20", "--system", "esss"}), HasSubstr("must be one of"));
  EXPECT_THAT(refused({"--slo-tpot-ms", "20", "--set", "batch=4"}), HasSubstr("--set batch"));
  EXPECT_THAT(refused({"--slo-tpot-ms", "20", "--set", "stepz=4"}), HasSubstr("steps"));
  EXPECT_THAT(refused({"--slo-tpot-ms", "20", "--model", "nothing"}), HasSubstr("model.preset"));
}

}  // namespace
