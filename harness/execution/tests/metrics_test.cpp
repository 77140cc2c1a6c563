#include "harness/execution/metrics.h"

namespace harness {
namespace {

using ess::microseconds;
using ess::op_kind;
using ess::stream_id;

TEST(timeline_of, says_of_each_operation_what_where_and_when) {
  ess::step_program program;
  ess::step_timing timing;
  program.operations.push_back({.kind = op_kind::attend, .layer = 2, .slice = {0, 3}});
  program.operations.push_back({.kind = op_kind::fetch, .slice = {1, 2}, .stream = stream_id::copy});
  timing.operations = {{microseconds(10), microseconds(20)}, {microseconds(5), microseconds(15.5)}};
  const results::timeline got = timeline_of(program, timing);
  const results::timeline want = {{.kind = "attend",
                                   .layer = 2,
                                   .first_seat = 0,
                                   .seats = 3,
                                   .stream = "compute",
                                   .on_link = false,
                                   .start_us = 10,
                                   .end_us = 20},
                                  {.kind = "fetch",
                                   .layer = 0,
                                   .first_seat = 1,
                                   .seats = 2,
                                   .stream = "copy",
                                   .on_link = true,
                                   .start_us = 5,
                                   .end_us = 15.5}};
  EXPECT_EQ(got, want);
}

}  // namespace
}  // namespace harness
