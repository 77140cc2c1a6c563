#include "results/export.h"

#include <limits>

#include "results/tests/scratch.h"

namespace results {
namespace {

using testing::a_point;

loaded_run a_loaded_run() {
  loaded_run run{
      .run = testing::a_run(), .env = testing::an_environment(), .workload = testing::a_workload()};
  run.points.push_back({.point = a_point("ess"), .attempts = {testing::an_attempt()}});
  run.points.push_back({.point = a_point("all_gpu", "all_gpu"),
                        .attempts = {{.status = attempt_status::out_of_memory, .reason = "9 GB > 8 GB"}}});
  run.points.push_back({.point = a_point("untried")});
  return run;
}

TEST(export_json, has_the_documented_shape) {
  const auto all = export_json(a_loaded_run());
  std::vector<std::string> keys;
  for (const auto& [key, value] : all.items()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"run", "environment", "points"}));
  EXPECT_EQ(all["run"]["id"], "run-1");
  EXPECT_EQ(all["run"]["workload"], "quick");
  EXPECT_EQ(all["run"]["workload_hash"], "abc123");
  EXPECT_EQ(all["run"]["started_at"], "2025-11-24T00:00:00.000Z");
  EXPECT_EQ(all["run"]["git_dirty"], true);
  EXPECT_EQ(all["environment"]["cpu"]["model"], "Example 3000");
  ASSERT_EQ(all["points"].size(), 3u);
  const auto& point = all["points"][0];
  keys.clear();
  for (const auto& [key, value] : point.items()) keys.push_back(key);
  EXPECT_EQ(keys,
            (std::vector<std::string>{"system", "device", "clock", "status", "reason", "label", "settings",
                                      "requested_settings", "metrics", "accuracy", "series"}));
  EXPECT_EQ(point["series"]["misses_by_layer"].dump(), "[3.5,7.0]");
  EXPECT_EQ(point["settings"]["batch"], 7);
  EXPECT_EQ(point["requested_settings"]["batch"], "max");
  EXPECT_EQ(point["metrics"]["step_time_us"].dump(),
            R"({"median":1001.5,"lo":1000.0,"hi":1003.0,"n":4,"unit":"us"})");
  EXPECT_EQ(point["accuracy"]["attention_max_error"], 0.001);
  EXPECT_EQ(all["points"][1]["status"], "out_of_memory");
  EXPECT_EQ(all["points"][1]["reason"], "9 GB > 8 GB");
  EXPECT_EQ(all["points"][1]["metrics"].dump(), "{}");
  EXPECT_TRUE(all["points"][2]["status"].is_null());
}

TEST(export_json, says_what_was_imported_and_what_a_profiler_saw) {
  loaded_run run = a_loaded_run();
  run.imports = {{.at = testing::a_time(3),
                  .kind = "essbench",
                  .file = "shard.db",
                  .source_version = "schema 3",
                  .essbench_version = "0.2.0",
                  .env = run.env,
                  .points = 2,
                  .attempts = 5,
                  .note = "n"},
                 {.file = "other.db", .env = {{"cpu", "other"}}}};
  run.points[0].attempts[0].profiled = {{.operation = "fetch",
                                         .layer = 3,
                                         .activity = profiled_activity::kernel,
                                         .name = "gather",
                                         .count = 7,
                                         .cpu_us = std::numeric_limits<double>::quiet_NaN(),
                                         .gpu_us = 2.5,
                                         .bytes = 656}};
  const auto all = export_json(run);
  EXPECT_EQ(
      all["imports"][0].dump(),
      R"({"kind":"essbench","file":"shard.db","at":"2025-11-24T00:00:03.000Z","source_version":"schema 3",)"
      R"("essbench_version":"0.2.0","points":2,"attempts":5,"note":"n","environment":null})");
  EXPECT_EQ(all["imports"][1]["environment"].dump(), R"({"cpu":"other"})");
  EXPECT_EQ(all["points"][0]["profile"].dump(),
            R"([{"operation":"fetch","layer":3,"activity":"kernel","name":"gather","count":7,"cpu_us":null,)"
            R"("gpu_us":2.5,"bytes":656}])");
  EXPECT_FALSE(all["points"][1].contains("profile"));
}

TEST(export_json, text_is_json_whatever_the_bytes) {
  loaded_run run = a_loaded_run();
  run.run.command_line = "essbench run '\xff'";
  run.points[0].attempts[0].accuracy["nan"] = std::numeric_limits<double>::quiet_NaN();
  const std::string text = export_json_text(run);
  const auto back = nlohmann::json::parse(text);
  EXPECT_EQ(back["run"]["command_line"], "essbench run '\xef\xbf\xbd'");
  EXPECT_TRUE(back["points"][0]["accuracy"]["nan"].is_null());
  EXPECT_EQ(text.back(), '\n');
}

TEST(export_csv, has_a_line_a_point_and_metric) {
  EXPECT_EQ(export_csv(a_loaded_run()),
            "run,label,system,device,clock,status,metric,median,lo,hi,n,unit\r\n"
            "run-1,ess,ess,cpu,wall,ok,hit_rate,0.9,0.9,0.9,1,\r\n"
            "run-1,ess,ess,cpu,wall,ok,step_time_us,1001.5,1000,1003,4,us\r\n"
            "run-1,all_gpu,all_gpu,cpu,wall,out_of_memory,,,,,,\r\n"
            "run-1,untried,ess,cpu,wall,,,,,,,\r\n");
}

TEST(export_csv, quotes_as_rfc_4180_says) {
  loaded_run run = a_loaded_run();
  run.points.resize(1);
  run.points[0].attempts.clear();
  run.points[0].point.label = "say \"hi\", twice\nor so";
  EXPECT_THAT(export_csv(run), ::testing::HasSubstr("run-1,\"say \"\"hi\"\", twice\nor so\",ess,"));
}

}  // namespace
}  // namespace results
