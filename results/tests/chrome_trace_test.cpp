#include "results/chrome_trace.h"

#include "results/tests/example_run.h"

namespace results {
namespace {

using testing::an_example_run;
using testing::point_of;

loaded_run with_timelines() {
  loaded_run run = an_example_run();
  point_of(run, "ess").attempts.back().steps_timeline = {{.kind = "fetch",
                                                          .layer = 1,
                                                          .first_seat = 0,
                                                          .seats = 4,
                                                          .stream = "copy",
                                                          .on_link = true,
                                                          .start_us = 5,
                                                          .end_us = 25},
                                                         {.kind = "attend",
                                                          .layer = 1,
                                                          .first_seat = 0,
                                                          .seats = 4,
                                                          .stream = "compute",
                                                          .start_us = 0,
                                                          .end_us = 15}};
  point_of(run, "all_gpu").attempts.back().steps_timeline = {
      {.kind = "attend", .seats = 4, .stream = "compute", .start_us = 0, .end_us = 9}};
  return run;
}

TEST(chrome_trace, has_a_process_for_each_point_and_a_thread_for_each_stream) {
  const auto trace = nlohmann::json::parse(chrome_trace(with_timelines()));
  std::map<int, std::string> processes;
  std::map<std::pair<int, int>, std::string> threads;
  int events = 0;
  for (const auto& event : trace.at("traceEvents")) {
    const int process = event.at("pid");
    if (event.at("name") == "process_name") processes[process] = event.at("args").at("name");
    if (event.at("name") == "thread_name") threads[{process, event.at("tid")}] = event.at("args").at("name");
    if (event.at("ph") != "X") continue;
    ++events;
    EXPECT_TRUE(threads.contains({process, event.at("tid").get<int>()}));
    if (event.at("name") == "fetch") {
      EXPECT_EQ(event.at("ts"), 5);
      EXPECT_EQ(event.at("dur"), 20);
      EXPECT_EQ(event.at("cat"), "link");
      EXPECT_EQ(event.at("args").at("layer"), 1);
    }
  }
  EXPECT_EQ(processes.size(), 2u);
  EXPECT_EQ(threads.size(), 3u);
  EXPECT_EQ(events, 3);
  EXPECT_EQ(trace.at("otherData").at("points").at(1).at("exposed_transfer_us"), 10);
}

TEST(chrome_trace, of_one_point_or_of_none) {
  const loaded_run run = with_timelines();
  const auto one = nlohmann::json::parse(chrome_trace(run, "all_gpu"));
  EXPECT_EQ(one.at("otherData").at("points").size(), 1u);
  EXPECT_TRUE(chrome_trace(run, "hisparse").empty());
  EXPECT_TRUE(chrome_trace(an_example_run()).empty());
}

}  // namespace
}  // namespace results
