// What the gate is worth by a recording of a machine of 2 shared cores (two_cores.json): the figures of
// docs/method.md, with fewer pairs. `essbench noise --from harness/gating/tests/two_cores.json` gives all of
// them.
#include "harness/gating/qualification.h"

namespace harness {
namespace {

TEST(two_cores, cries_seldom_and_finds_what_is_there) {
  const auto recording = load_recording("harness/gating/tests/two_cores.json");
  ASSERT_TRUE(recording) << workloads::to_string(recording.error());
  const qualification made = qualify(*recording, {.pairs = 300});
  EXPECT_LE(static_cast<double>(made.false_alarms), 0.02 * static_cast<double>(made.pairs));
  for (const qualified_point& point : made.points) {
    EXPECT_GE(static_cast<double>(point.found), 0.95 * static_cast<double>(made.pairs))
        << point.label << ", slowdown " << point.slowdown;
  }
}

}  // namespace
}  // namespace harness
