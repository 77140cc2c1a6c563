#include "harness/environment/checks.h"

#include <map>

namespace harness {
namespace {

using enum check_status;

// Facts that every check is happy with.
check_facts good_facts() {
  return {.environment = {{"cpu", {{"usable_cores", 8}, {"governor", "performance"}}},
                          {"memory", {{"available_bytes", 64'000'000'000}, {"limit_bytes", nullptr}}},
                          {"system", {{"clock_source", "tsc"}}},
                          {"load", {{"1min", 0.1}}},
                          {"build", {{"type", "Release"}, {"sanitizers", nullptr}, {"nvtx", true}}}},
          .scratch = "/tmp",
          .scratch_free = ess::byte_count{50'000'000'000},
          .clock_resolution = ess::microseconds(0.03),
          .gemm = gemm_rate{.kernel = "brgemm:avx512", .gflops = 80, .fma_gflops = 100}};
}

check named(const check_facts& facts, std::string_view name) {
  for (check& one : run_checks(facts)) {
    if (one.name == name) return one;
  }
  ADD_FAILURE() << "no check " << name;
  return {};
}

TEST(run_checks, is_ok_in_the_promised_order_on_a_good_machine) {
  const auto checks = run_checks(good_facts());
  std::vector<std::string> names;
  for (const check& one : checks) {
    names.push_back(one.name);
    EXPECT_EQ(one.status, ok) << one.name << ": " << one.text;
    EXPECT_FALSE(one.text.empty()) << one.name;
    EXPECT_TRUE(one.hint.empty()) << one.name;
  }
  EXPECT_THAT(names, testing::ElementsAre("cores", "governor", "load", "memory", "clock", "scratch", "build",
                                          "nvtx", "gemm"));
  EXPECT_EQ(worst(checks), ok);
}

TEST(run_checks, judges_nothing_that_is_not_known_but_the_scratch_folder) {
  const auto checks = run_checks({.environment = nullptr, .scratch = "/nowhere"});
  for (const check& one : checks) EXPECT_EQ(one.status, one.name == "scratch" ? fail : ok) << one.name;
  EXPECT_EQ(worst(checks), fail);
}

struct bad_case {
  std::string_view name;
  check_status status;
  void (*spoil)(check_facts&);
};

TEST(run_checks, warns_or_fails_and_gives_a_hint) {
  const bad_case cases[] = {
      {"cores", warn, [](check_facts& f) { f.environment["cpu"]["usable_cores"] = 1; }},
      {"governor", warn, [](check_facts& f) { f.environment["cpu"]["governor"] = "powersave"; }},
      {"load", warn, [](check_facts& f) { f.environment["load"]["1min"] = 2.01; }},
      {"memory", warn, [](check_facts& f) { f.environment["memory"]["available_bytes"] = 1'999'999'999; }},
      {"memory", fail, [](check_facts& f) { f.environment["memory"]["limit_bytes"] = 400'000'000; }},
      {"clock", warn, [](check_facts& f) { f.clock_resolution = ess::microseconds(4); }},
      {"clock", fail, [](check_facts& f) { f.clock_resolution = ess::microseconds(4000); }},
      {"scratch", warn, [](check_facts& f) { f.scratch_free = ess::byte_count{999'999'999}; }},
      {"scratch", fail, [](check_facts& f) { f.scratch_free = ess::byte_count{1}; }},
      {"build", warn, [](check_facts& f) { f.environment["build"]["type"] = "Debug"; }},
      {"build", warn, [](check_facts& f) { f.environment["build"]["sanitizers"] = "thread"; }},
      {"nvtx", ok, [](check_facts& f) { f.environment["build"]["nvtx"] = false; }},
      {"gemm", warn, [](check_facts& f) { f.gemm->gflops = 39; }},
  };
  for (const bad_case& one : cases) {
    check_facts facts = good_facts();
    one.spoil(facts);
    const check found = named(facts, one.name);
    EXPECT_EQ(found.status, one.status) << one.name << ": " << found.text;
    EXPECT_FALSE(found.hint.empty()) << one.name;
  }
}

TEST(run_checks, says_which_gemm_kernel_ran_and_how_fast) {
  EXPECT_EQ(named(good_facts(), "gemm").text,
            "brgemm:avx512: 80.0 GFLOP/s, 80 % of 100.0 that fused multiply-adds reach");
}

TEST(gather_facts, measures_the_clock_and_the_free_space) {
  const check_facts facts = gather_facts(nullptr, std::filesystem::temp_directory_path(), std::nullopt);
  ASSERT_TRUE(facts.clock_resolution && facts.scratch_free);
  EXPECT_GT(facts.clock_resolution->count(), 0);
  EXPECT_GT(facts.scratch_free->value, 0);
  EXPECT_FALSE(gather_facts(nullptr, "/nowhere/at/all", std::nullopt).scratch_free);
}

TEST(check_status, survives_a_round_trip) {
  for (const check_status status : {ok, warn, fail}) EXPECT_EQ(parse_check_status(to_string(status)), status);
  EXPECT_EQ(parse_check_status("bad"), std::nullopt);
}

}  // namespace
}  // namespace harness
