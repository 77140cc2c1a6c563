#include "harness/execution/metrics.h"

namespace harness {
namespace {

using ess::microseconds;
using ess::op_kind;
using ess::stream_id;

// A fetch from 10 to 50; compute runs until 20 and from 40 on.
struct two_streams {
  ess::step_program program;
  ess::step_timing timing;

  two_streams() {
    add(op_kind::resolve, stream_id::compute, 0, 10);
    add(op_kind::fetch, stream_id::copy, 10, 50);
    add(op_kind::attend, stream_id::compute, 10, 20);
    add(op_kind::attend, stream_id::compute, 40, 60);
    add(op_kind::write_back, stream_id::copy, 50, 55);
  }
  void add(op_kind kind, stream_id stream, double start, double end) {
    program.operations.push_back({.kind = kind, .stream = stream});
    timing.operations.push_back({microseconds(start), microseconds(end)});
  }
};

TEST(exposed_transfer, is_what_compute_does_not_cover) {
  const two_streams t;
  EXPECT_DOUBLE_EQ(exposed_transfer(t.program, t.timing).count(), 20.0);
  EXPECT_DOUBLE_EQ(link_busy(t.program, t.timing).count(), 45.0);
}

TEST(time_by_kind, sums_operations_of_a_kind) {
  const two_streams t;
  const op_times times = time_by_kind(t.program, t.timing);
  EXPECT_DOUBLE_EQ(times[static_cast<std::size_t>(op_kind::attend)], 30.0);
  EXPECT_DOUBLE_EQ(times[static_cast<std::size_t>(op_kind::fetch)], 40.0);
  EXPECT_DOUBLE_EQ(times[static_cast<std::size_t>(op_kind::merge)], 0.0);
}

}  // namespace
}  // namespace harness
