#include "results/import/benchmark.h"

#include <gmock/gmock.h>

#include <fstream>
#include <optional>

#include "results/store.h"
#include "results/tests/scratch.h"

namespace results {
namespace {

using testing::a_time;
using ::testing::HasSubstr;
using testing::scratch_folder;

constexpr const char* report = R"({
  "context": {"date": "2025-11-24T02:00:00+02:00", "host_name": "secret", "executable": "./build/ess_some_bench",
    "num_cpus": 2, "mhz_per_cpu": 2100, "cpu_scaling_enabled": false, "load_avg": [1.5, 2, 3],
    "caches": [{"type": "Data", "level": 1, "size": 49152, "num_sharing": 1}],
    "library_version": "v1.8.3", "library_build_type": "release", "simd": "AVX3"},
  "benchmarks": [
    {"name": "gather", "run_name": "gather", "run_type": "iteration", "repetition_index": 1, "threads": 2,
     "iterations": 10, "real_time": 2.0e+00, "cpu_time": 1.0e+00, "time_unit": "ms", "label": "of rows",
     "bytes_per_second": 3.0e+09, "items_per_second": 5.0e+06, "hit_rate": 5.0e-01},
    {"name": "failed", "run_name": "failed", "run_type": "iteration", "threads": 1, "error_occurred": true,
     "error_message": "wrong results", "iterations": 0, "real_time": 0.0e+00, "cpu_time": 0.0e+00},
    {"name": "gather", "run_name": "gather", "run_type": "iteration", "repetition_index": 0, "threads": 2,
     "iterations": 10, "real_time": 4.0e+00, "cpu_time": 3.0e+00, "time_unit": "ms", "label": "of rows",
     "bytes_per_second": 1.0e+09, "items_per_second": 7.0e+06, "hit_rate": 5.0e-01},
    {"name": "gather_mean", "run_name": "gather", "run_type": "aggregate", "aggregate_name": "mean",
     "real_time": 9.0e+09, "cpu_time": 9.0e+09, "time_unit": "ms"},
    {"name": "left out", "run_name": "left out", "run_type": "iteration", "skipped": true,
     "skip_message": "no such cores", "real_time": 0.0e+00, "cpu_time": 0.0e+00, "time_unit": "ns"}
  ]})";

std::string hashed(std::string_view name) { return "hash of " + std::to_string(name.size()); }

loaded_run run_in(const std::string& text) { return run_of_benchmark(text, "some.json", hashed); }

// With one thing otherwise.
std::string changed(const std::string& from, const std::string& to) {
  std::string text = report;
  text.replace(text.find(from), from.size(), to);
  return text;
}

std::string error_of(const std::string& text) {
  try {
    (void)run_in(text);
  } catch (const bench_error& e) {
    return e.what();
  }
  return {};
}

import_report import(const std::filesystem::path& file, const std::filesystem::path& into) {
  return import_benchmark(file, {.into = into, .essbench_version = "9.9", .at = a_time(100)}, hashed);
}

TEST(benchmark_import, makes_a_point_a_benchmark) {
  const loaded_run run = run_in(report);
  EXPECT_EQ(run.run.workload_name, "benchmark:ess_some_bench");
  EXPECT_EQ(run.run.command_line, "./build/ess_some_bench");
  EXPECT_EQ(to_iso8601(run.run.started_at), "2025-11-24T00:00:00.000Z");
  ASSERT_EQ(run.points.size(), 3u);
  const loaded_point& gather = run.points[0];
  EXPECT_EQ(gather.point.label, "gather");
  EXPECT_EQ(gather.point.system, "benchmark");
  EXPECT_EQ(gather.point.device, "cpu");
  EXPECT_EQ(gather.point.clock, "wall");
  EXPECT_EQ(gather.point.requested.dump(), R"({"threads":2})");
  EXPECT_EQ(gather.point.effective.dump(), R"({"label":"of rows","threads":2})");
  EXPECT_EQ(gather.last()->samples.at("real_time_us"), (std::vector{2000.0, 4000.0}));
  EXPECT_EQ(gather.last()->samples.at("cpu_time_us"), (std::vector{1000.0, 3000.0}));
  EXPECT_EQ(gather.last()->samples.size(), 2u);
  EXPECT_EQ(gather.last()->metrics.at("real_time_us").median, 3000);
  EXPECT_EQ(gather.last()->metrics.at("real_time_us").unit, "us");
}

TEST(benchmark_import, keeps_counters_as_metrics_with_their_units) {
  const loaded_run run = run_in(report);
  const auto& metrics = run.points[0].last()->metrics;
  EXPECT_EQ(metrics.at("bytes_per_second").median, 2e9);
  EXPECT_EQ(metrics.at("bytes_per_second").unit, "B/s");
  EXPECT_EQ(metrics.at("items_per_second").median, 6e6);
  EXPECT_EQ(metrics.at("items_per_second").unit, "1/s");
  EXPECT_EQ(metrics.at("hit_rate").unit, "");
  EXPECT_EQ(metrics.size(), 5u);
}

TEST(benchmark_import, gives_what_did_not_run_a_status_and_its_reason_and_no_time) {
  const loaded_run run = run_in(report);
  EXPECT_EQ(run.points[1].last()->status, attempt_status::error);
  EXPECT_EQ(run.points[1].last()->reason, "wrong results");
  EXPECT_EQ(run.points[2].last()->status, attempt_status::unsupported);
  EXPECT_EQ(run.points[2].last()->reason, "no such cores");
  for (const std::size_t i : {1u, 2u}) {
    EXPECT_TRUE(run.points[i].last()->samples.empty());
    EXPECT_TRUE(run.points[i].last()->metrics.empty());
  }
}

TEST(benchmark_import, keeps_the_environment_but_not_the_name_of_the_host) {
  const environment env = run_in(report).env;
  EXPECT_EQ(env["system"]["host_hash"], "hash of 6");
  EXPECT_EQ(env.dump().find("secret"), std::string::npos);
  EXPECT_EQ(env["cpu"]["logical_cores"], 2);
  EXPECT_EQ(env["cpu"]["max_mhz"], 2100);
  EXPECT_EQ(env["cpu"]["caches"].dump(), R"([{"bytes":49152,"level":1,"shared_by":1,"type":"Data"}])");
  EXPECT_EQ(env["build"]["benchmark_library_type"], "release");
  EXPECT_EQ(env["benchmark"].dump(), R"({"simd":"AVX3"})");
}

TEST(benchmark_import, takes_the_device_from_the_context) {
  EXPECT_EQ(run_in(changed("\"simd\"", "\"gpu\"")).points[0].point.device, "cuda");
}

TEST(benchmark_import, of_the_same_report_is_the_same_run) {
  const std::string id = run_in(report).run.id;
  EXPECT_THAT(id,
              ::testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  EXPECT_EQ(run_in(report).run.id, id);
  EXPECT_NE(run_in(changed("2.0e+00", "2.1e+00")).run.id, id);
}

TEST(benchmark_import, adds_a_report_once_and_says_where_it_came_from) {
  const scratch_folder folder;
  std::ofstream(folder / "some.json") << report;
  const import_report first = import(folder / "some.json", folder / "all.db");
  EXPECT_EQ(first.source_version, "library v1.8.3");
  EXPECT_EQ(first.runs, (import_count{.added = 1}));
  EXPECT_EQ(first.points, (import_count{.added = 3}));
  EXPECT_EQ(first.attempts, (import_count{.added = 3}));
  const import_report again = import(folder / "some.json", folder / "all.db");
  EXPECT_EQ(again.runs, (import_count{.there = 1}));
  EXPECT_EQ(again.points, (import_count{.there = 3}));
  store s = store::open(folder / "all.db");
  ASSERT_EQ(s.runs().size(), 1u);
  const auto run = s.load(s.runs()[0].run.id);
  ASSERT_EQ(run->imports.size(), 1u);
  EXPECT_EQ(run->imports[0].kind, "google_benchmark");
  EXPECT_EQ(run->imports[0].file, (folder / "some.json").string());
  EXPECT_EQ(run->imports[0].at, a_time(100));
  EXPECT_EQ(run->points[0].last()->samples, run_in(report).points[0].last()->samples);
}

TEST(benchmark_import, tells_what_is_wrong_with_a_file) {
  EXPECT_THAT(error_of("{"), HasSubstr("some.json: "));
  EXPECT_THAT(error_of("[1, 2]"), HasSubstr("some.json: "));
  EXPECT_THAT(error_of(R"({"context": 7, "benchmarks": []})"), HasSubstr("some.json: "));
  EXPECT_THAT(error_of(changed("\"executable\"", "\"program\"")), HasSubstr("executable"));
  EXPECT_THAT(error_of(changed("+02:00", "")), HasSubstr("context.date '2025-11-24T02:00:00'"));
  EXPECT_THAT(error_of(changed("+02:00", "+99:00")), HasSubstr("context.date"));
  EXPECT_THAT(error_of(changed("[{\"type\": \"Data\"", "[7, {\"type\": \"Data\"")), HasSubstr("context"));
  EXPECT_THAT(error_of(changed("\"no such cores\"", "7")), HasSubstr("some.json: "));
  EXPECT_THAT(error_of(R"({"context": {"date": "2025-11-24T02:00:00+02:00", "executable": "x"},
                           "benchmarks": [{"run_type": "aggregate"}]})"),
              HasSubstr("without --benchmark_report_aggregates_only"));
  EXPECT_THAT(error_of(R"({"context": {"date": "2025-11-24T02:00:00+02:00", "executable": "x"},
                           "benchmarks": [{"run_type": "iteration", "run_name": "a"}]})"),
              HasSubstr("benchmark 'a' has no real_time"));
  EXPECT_THAT(error_of(R"({"context": {"date": "2025-11-24T02:00:00+02:00", "executable": "x"},
                           "benchmarks": [{"run_type": "iteration", "run_name": "a", "time_unit": "h"}]})"),
              HasSubstr("'h' is no unit of time"));
  EXPECT_THROW(import("/nowhere/some.json", "/nowhere/all.db"), bench_error);
}

}  // namespace
}  // namespace results
