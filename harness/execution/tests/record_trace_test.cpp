#include "harness/execution/record_trace.h"

#include "ess_core/locality/miss_curve.h"
#include "harness/execution/attempt.h"

namespace harness {
namespace {

constexpr std::int32_t steps = 40;

planned_point tiny_point(int mtp) {
  workloads::point p{.label = "ess"};
  p.requested.system = workloads::system_kind::ess;
  p.requested.model.preset = "tiny";
  p.requested.context_tokens = 300;
  p.requested.batch = 1;
  p.requested.steps = steps;
  p.requested.mtp = mtp;
  p.requested.mtp_accept = mtp;  // all kept, as the replay of a trace takes it
  p.requested.warmup = workloads::warmup_mode::empty;
  p.requested.sparse_ratio = std::nullopt;
  p.requested.pool_rows = 140;
  return plan_point(p);
}

std::int64_t misses_of_run(const planned_point& plan, machine& on) {
  const ess::memory_layout layout = plan.layout();
  const auto device = on.make_reference_device(plan);
  device->allocate(layout, 1);
  ess::decode_engine engine(*device, *plan.system, on.prefill(plan.model, plan.point.requested),
                            engine_options_of(plan, layout));
  engine.admit_batch({{0, plan.point.requested.context_tokens, steps}});
  std::int64_t misses = 0;
  while (engine.active() > 0) misses += engine.step().rows.misses;
  return misses;
}

// The stream that a run's indexer makes, through the one-pass curve, misses what the run's pool really
// missed.
TEST(record_trace, its_miss_curve_is_what_a_run_misses) {
  for (const int mtp : {1, 2, 4}) {
    const planned_point plan = tiny_point(mtp);
    ASSERT_EQ(plan.verdict, plan_verdict::ok) << plan.reason;
    const auto alone = ess::make_lone_communicator();
    machine on(*alone);
    const ess::index_trace trace = record_trace(plan, on, steps);
    EXPECT_TRUE(ess::check_ids(trace).has_value());
    std::int64_t want = 0;
    for (std::int32_t layer = 0; layer < plan.model.layers; ++layer)
      want += ess::lru_miss_curve(trace, layer, {.query_tokens = mtp}).misses(140);
    EXPECT_EQ(misses_of_run(plan, on), want) << "mtp " << mtp;
  }
}

}  // namespace
}  // namespace harness
