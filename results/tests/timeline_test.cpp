#include "results/timeline.h"

namespace results {
namespace {

// A fetch from 10 to 50; compute runs until 20 and from 40 on.
timeline two_streams() {
  timeline out;
  const auto add = [&](const char* kind, bool link, double start, double end) {
    out.push_back({.kind = kind,
                   .stream = link ? "copy" : "compute",
                   .on_link = link,
                   .start_us = start,
                   .end_us = end});
  };
  add("resolve", false, 0, 10);
  add("fetch", true, 10, 50);
  add("attend", false, 10, 20);
  add("attend", false, 40, 60);
  add("write_back", true, 50, 55);
  return out;
}

TEST(timeline, exposes_what_compute_does_not_cover) {
  EXPECT_DOUBLE_EQ(exposed_transfer_us(two_streams()), 20.0);
  EXPECT_DOUBLE_EQ(link_busy_us(two_streams()), 45.0);
}

TEST(timeline, sums_operations_of_a_kind) {
  const auto times = time_by_kind_us(two_streams());
  EXPECT_DOUBLE_EQ(times.at("attend"), 30.0);
  EXPECT_DOUBLE_EQ(times.at("fetch"), 40.0);
  EXPECT_FALSE(times.contains("merge"));
}

}  // namespace
}  // namespace results
