#include "results/bench_table.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "results/tests/golden.h"

namespace results {
namespace {

constexpr const char* targets = R"({"rows": [
  {"what": "gather of rows", "benchmark": "gather/anywhere", "counter": "bytes_per_second", "at_least": 0.7,
   "against": {"what": "memcpy", "benchmark": "memcpy", "counter": "bytes_per_second"}},
  {"what": "attention", "benchmark": "attend/heads:128", "counter": "flops", "at_least": 0.6,
   "against": {"what": "f32 FMA", "benchmark": "fma_rate", "counter": "flops"}},
  {"what": "pool look-up", "benchmark": "resolve", "counter": "ns_per_item", "at_most": 6},
  {"what": "synthetic steps", "benchmark": "synth", "counter": "items_per_second", "at_least": 3000},
  {"what": "another library", "benchmark": "library", "counter": "flops",
   "against": {"what": "f32 FMA", "benchmark": "fma_rate", "counter": "flops"}, "at_least": 1},
  {"what": "for information", "benchmark": "fma_rate", "counter": "flops"}
]})";

constexpr const char* kernels = R"({
  "context": {"num_cpus": 2, "simd": "AVX3", "gemm": "libxsmm 1.17 cpx", "caches": []},
  "benchmarks": [
    {"name": "gather/anywhere", "run_name": "gather/anywhere", "run_type": "iteration", "repetition_index": 1,
     "iterations": 10, "real_time": 1.0e+05, "time_unit": "ns", "bytes_per_second": 5.2e+09},
    {"name": "gather/anywhere", "run_name": "gather/anywhere", "run_type": "iteration", "repetition_index": 0,
     "iterations": 10, "real_time": 1.0e+05, "time_unit": "ns", "bytes_per_second": 4.8e+09},
    {"name": "gather/anywhere", "run_name": "gather/anywhere", "run_type": "iteration", "repetition_index": 2,
     "iterations": 10, "real_time": 1.0e+05, "time_unit": "ns", "bytes_per_second": 5.0e+09},
    {"name": "gather/anywhere_median", "run_name": "gather/anywhere", "run_type": "aggregate",
     "aggregate_name": "median", "iterations": 3, "real_time": 1.0e+05, "bytes_per_second": 9.9e+99},
    {"name": "memcpy", "run_name": "memcpy", "run_type": "iteration", "iterations": 10, "real_time": 1.0e+05,
     "bytes_per_second": 8.0e+09},
    {"name": "fma_rate", "run_name": "fma_rate", "run_type": "iteration", "iterations": 10, "flops": 1.5e+11},
    {"name": "attend/heads:128", "run_name": "attend/heads:128", "run_type": "iteration", "iterations": 10,
     "flops": 1.2e+11},
    {"name": "library", "run_name": "library", "run_type": "iteration", "error_occurred": true,
     "error_message": "not found when this was built"}
  ]})";

constexpr const char* others = R"({
  "context": {"simd": "of another program"},
  "benchmarks": [
    {"name": "resolve", "run_name": "resolve", "run_type": "iteration", "items_per_second": 1.25e+08},
    {"name": "synth", "run_name": "synth", "run_type": "iteration", "items_per_second": 3.21e+03}
  ]})";

bench_results both() {
  bench_results measured;
  measured.add(kernels, "kernels.json");
  measured.add(others, "others.json");
  return measured;
}

TEST(bench_table, reads_as_agreed) {
  const bench_results measured = both();
  const auto rows = judge(read_bench_targets(targets, "targets.json"), measured);
  testing::expect_golden(bench_table_text(rows, measured), "bench_table.txt");
  testing::expect_golden(bench_table_markdown(rows, measured), "bench_table.md");
  testing::expect_golden(bench_table_json(rows, measured).dump(2) + "\n", "bench_table.json");
}

// Google Benchmark has two words for what did not run.
TEST(bench_table, knows_why_a_benchmark_was_skipped) {
  bench_results measured;
  measured.add(R"({"context": {}, "benchmarks": [{"run_name": "a", "run_type": "iteration", "skipped": true,
                   "skip_message": "no such cores"}]})",
               "a.json");
  EXPECT_EQ(measured.skipped({.benchmark = "a", .counter = "flops"}), "no such cores");
}

TEST(bench_table, takes_medians_of_repetitions_and_judges_ratios) {
  const auto rows = judge(read_bench_targets(targets, "targets.json"), both());
  ASSERT_EQ(rows.size(), 6u);
  EXPECT_DOUBLE_EQ(rows[0].value, 5.0e9);
  EXPECT_DOUBLE_EQ(rows[0].spread, 0.04);
  EXPECT_DOUBLE_EQ(*rows[0].ratio, 0.625);
  EXPECT_EQ(rows[0].verdict, bench_verdict::short_of);
  EXPECT_NEAR(rows[0].shortfall(), 1 - 0.625 / 0.7, 1e-12);
  EXPECT_EQ(rows[1].verdict, bench_verdict::met);
  EXPECT_DOUBLE_EQ(rows[2].value, 8);
  EXPECT_EQ(rows[2].verdict, bench_verdict::short_of);
  EXPECT_NEAR(rows[2].shortfall(), 8.0 / 6 - 1, 1e-12);
  EXPECT_EQ(rows[3].verdict, bench_verdict::met);
  EXPECT_EQ(rows[4].verdict, bench_verdict::not_measured);
  EXPECT_EQ(rows[5].verdict, bench_verdict::no_bound);
}

std::string complaint(const auto& action) {
  try {
    action();
  } catch (const bench_error& e) {
    return e.what();
  }
  return "";
}

TEST(bench_table, what_a_target_names_must_be_there) {
  bench_results measured;
  measured.add(kernels, "kernels.json");
  const auto all = read_bench_targets(targets, "targets.json");
  EXPECT_EQ(complaint([&] { static_cast<void>(judge(all, measured)); }),
            "no benchmark 'resolve' in the results");
  EXPECT_EQ(complaint([&] {
              static_cast<void>(measured.values({"memcpy", "flops"}));
            }),
            "benchmark 'memcpy' has no counter 'flops'");
}

TEST(bench_table, a_bad_file_is_named_with_what_is_wrong) {
  using ::testing::StartsWith;
  const auto read = [](const char* text) {
    return complaint([&] { static_cast<void>(read_bench_targets(text, "t.json")); });
  };
  EXPECT_EQ(read(R"({"rows": [], "row": 1})"), "t.json: row 1: unknown key 'row'");
  EXPECT_EQ(read(R"({"rows": [{"what": "a", "benchmark": "b", "counter": "c", "atleast": 1}]})"),
            "t.json: row 1: unknown key 'atleast'");
  EXPECT_EQ(
      read(R"({"rows": [{"what": "a", "benchmark": "b", "counter": "c", "at_least": 1, "at_most": 2}]})"),
      "t.json: row 1: one of 'at_least' and 'at_most', not both");
  EXPECT_THAT(read(R"({"rows": [{"what": "a"}]})"), StartsWith("t.json: row 1: "));
  EXPECT_THAT(read("{"), StartsWith("t.json: "));
  const auto add = [](const char* text) {
    return complaint([&] {
      bench_results measured = both();
      measured.add(text, "r.json");
    });
  };
  EXPECT_THAT(add("{}"), StartsWith("r.json: "));
  EXPECT_EQ(add(others), "r.json: benchmark 'resolve' is in others.json, too");
}

}  // namespace
}  // namespace results
