#include "ess_core/device/cpu/stream_executor.h"

#include <array>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "baselines/systems.h"
#include "ess_core/model/presets.h"
#include "ess_core/step/decode_step.h"

namespace ess::cpu {
namespace {

step_program some_program() {
  const model_dims model = find_model_preset("tiny").value();
  return build_decode_step(model, {.seats = 2}, *make_system("ess", {}), {.kind = overlap_kind::da});
}

TEST(stream_executor, starts_nothing_before_what_it_waits_for) {
  const step_program p = some_program();
  stream_executor executor;
  for (int round = 0; round < 50; ++round) {
    std::vector<std::atomic<bool>> done(p.operations.size());
    std::atomic<int> early{0};
    executor.run(p,
                 [&](const operation& op, const upcoming&) {
                   for (const std::int32_t wait : op.waits)
                     early += done[static_cast<std::size_t>(wait)] ? 0 : 1;
                   if (op.kind == op_kind::fetch && round % 5 == 0)
                     std::this_thread::sleep_for(std::chrono::microseconds(200));
                   done[static_cast<std::size_t>(&op - p.operations.data())] = true;
                 },
                 {});
    EXPECT_EQ(early, 0);
    for (const auto& d : done) EXPECT_TRUE(d);
  }
}

TEST(stream_executor, times_every_operation_within_the_step) {
  const step_program p = some_program();
  stream_executor executor;
  const step_timing t = executor.run(p, [](const operation&, const upcoming&) {}, {});
  ASSERT_EQ(t.operations.size(), p.operations.size());
  for (const op_timing& op : t.operations) {
    EXPECT_LE(op.start, op.end);
    EXPECT_LE(op.end, t.total);
  }
}

TEST(stream_executor, streams_run_at_the_same_time) {
  step_program p;
  p.layers = p.seats = 1;
  p.operations.push_back({.kind = op_kind::attend, .slice = {0, 1}});
  p.operations.push_back({.kind = op_kind::fetch, .slice = {0, 1}, .stream = stream_id::copy});
  std::atomic<int> inside{0};
  stream_executor executor;
  executor.run(p,
               [&](const operation&, const upcoming&) {
                 ++inside;
                 while (inside < 2) std::this_thread::yield();  // would hang if one ran after the other
               },
               {});
  EXPECT_EQ(inside, 2);
}

TEST(stream_executor, an_exception_ends_the_step_and_comes_out) {
  const step_program p = some_program();
  stream_executor executor;
  for (const op_kind culprit : {op_kind::fetch, op_kind::attend}) {
    EXPECT_THROW(executor.run(p,
                              [&](const operation& op, const upcoming&) {
                                if (op.kind == culprit) throw std::runtime_error("no");
                              },
                              {}),
                 std::runtime_error);
  }
  EXPECT_NO_THROW(executor.run(p, [](const operation&, const upcoming&) {}, {}));
}

TEST(stream_executor, probes_see_an_operation_before_its_successors_start) {
  const step_program p = some_program();
  stream_executor executor;
  std::atomic<std::int32_t> last_executed{-1};
  executor.run(
      p,
      [&](const operation& op, const upcoming&) {
        if (op.stream == stream_id::compute)
          last_executed = static_cast<std::int32_t>(&op - p.operations.data());
      },
      [&](const operation& op) {
        if (op.stream == stream_id::compute) {
          EXPECT_EQ(last_executed, &op - p.operations.data());
        }
      });
}

// Who fills idle time stops when the next operation of its stream has what it waits for, or everybody is
// done.
TEST(stream_executor, tells_when_what_comes_next_is_due) {
  step_program p;
  p.layers = p.seats = 1;
  const auto add = [&](op_kind kind, stream_id stream, std::vector<std::int32_t> waits) {
    p.operations.push_back({.kind = kind, .slice = {0, 1}, .stream = stream, .waits = std::move(waits)});
  };
  add(op_kind::prefetch, stream_id::copy, {});
  add(op_kind::attend, stream_id::compute, {});
  add(op_kind::resolve, stream_id::compute, {});
  add(op_kind::fetch, stream_id::copy, {2});
  add(op_kind::prefetch, stream_id::copy, {});
  add(op_kind::output, stream_id::compute, {});
  // Each prefetch comes before the compute operation of the same number has ended.
  std::array<std::atomic<bool>, 2> idle{};
  std::atomic<int> ended{0};
  int prefetches = 0;
  stream_executor executor;
  executor.run(p,
               [&](const operation& op, const upcoming& next) {
                 if (op.kind == op_kind::prefetch) {
                   EXPECT_FALSE(next.is_due());
                   idle[static_cast<std::size_t>(prefetches++)] = true;
                   while (!next.is_due()) std::this_thread::yield();
                   EXPECT_EQ(ended, prefetches + 1);
                 } else if (op.stream == stream_id::compute) {
                   while (op.kind == op_kind::resolve && !idle[0]) std::this_thread::yield();
                   while (op.kind == op_kind::output && !idle[1]) std::this_thread::yield();
                   ++ended;
                 }
               },
               {});
  EXPECT_EQ(prefetches, 2);
}

}  // namespace
}  // namespace ess::cpu
