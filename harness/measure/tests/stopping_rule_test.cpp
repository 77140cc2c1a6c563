#include "harness/measure/stopping_rule.h"

#include "ess_core/base/random.h"

namespace harness {
namespace {

using ess::microseconds;
using ess::seconds;

struct fake_world {
  double time = 100.0;
  bool cancel = false;

  stopping_world world() {
    return {.now = [this] { return seconds(time); }, .cancelled = [this] { return cancel; }};
  }
};

// Adds `step(i)` until the rule stops; the time of a step passes on the clock.
template <class Step>
stop_reason measure(stopping_rule& rule, fake_world& world, Step step) {
  for (std::size_t i = 0; i < 100'000; ++i) {
    if (const auto reason = rule.stop()) return *reason;
    const microseconds sample(step(i));
    world.time += seconds(sample).count();
    rule.add(sample);
  }
  ADD_FAILURE() << "the rule never stops";
  return stop_reason::cancelled;
}

TEST(stopping_rule, stops_at_the_least_samples_when_steps_do_not_vary) {
  fake_world world;
  stopping_rule rule({.warmup_samples = 3, .min_samples = 20}, world.world());
  EXPECT_EQ(measure(rule, world, [](std::size_t) { return 500.0; }), stop_reason::precise);
  EXPECT_EQ(rule.samples().size(), 20U);
  EXPECT_DOUBLE_EQ(rule.median()->count(), 500.0);
  EXPECT_EQ(rule.relative_half_width(), 0.0);
}

TEST(stopping_rule, keeps_no_warm_up_samples) {
  fake_world world;
  stopping_rule rule({.warmup_samples = 5, .min_samples = 10}, world.world());
  measure(rule, world, [](std::size_t i) { return i < 5 ? 1e6 : 10.0; });
  for (const double sample : rule.samples()) EXPECT_EQ(sample, 10.0);
  EXPECT_FALSE(rule.warming_up());
}

TEST(stopping_rule, takes_more_samples_the_more_steps_vary_and_ends_within_its_target) {
  const ess::counter_rng random(7, ess::purpose::microbenchmark);
  std::size_t before = 0;
  for (const double spread : {0.02, 0.1, 0.4}) {
    fake_world world;
    stopping_rule rule({.max_samples = 10'000}, world.world());
    const auto step = [&](std::size_t i) { return 1000.0 * (1.0 + spread * (random.uniform(i) - 0.5)); };
    EXPECT_EQ(measure(rule, world, step), stop_reason::precise) << spread;
    EXPECT_LE(rule.relative_half_width().value(), 0.02);
    EXPECT_GE(rule.samples().size(), before) << spread;
    before = rule.samples().size();
  }
  EXPECT_GT(before, 50U);
}

TEST(stopping_rule, gives_up_at_the_most_samples) {
  fake_world world;
  stopping_rule rule({.warmup_samples = 0, .min_samples = 10, .max_samples = 30}, world.world());
  EXPECT_EQ(measure(rule, world, [](std::size_t i) { return i % 2 == 0 ? 1.0 : 3.0; }),
            stop_reason::max_samples);
  EXPECT_EQ(rule.samples().size(), 30U);
}

TEST(stopping_rule, gives_up_when_time_is_over_but_not_without_a_sample) {
  fake_world world;
  stopping_rule rule({.warmup_samples = 2, .max_time = seconds(1.0)}, world.world());
  EXPECT_EQ(measure(rule, world, [](std::size_t) { return 2e6; }), stop_reason::max_seconds);
  EXPECT_EQ(rule.samples().size(), 1U);
  EXPECT_DOUBLE_EQ(rule.median()->count(), 2e6);
  EXPECT_EQ(rule.relative_half_width(), std::nullopt);  // one sample has no interval
}

TEST(stopping_rule, is_never_precise_below_six_samples) {
  fake_world world;
  stopping_rule rule({.warmup_samples = 0, .min_samples = 2}, world.world());
  EXPECT_EQ(measure(rule, world, [](std::size_t) { return 1.0; }), stop_reason::precise);
  EXPECT_EQ(rule.samples().size(), 6U);
}

TEST(stopping_rule, calls_it_precise_if_the_last_allowed_sample_makes_it_so) {
  fake_world world;
  stopping_rule rule({.warmup_samples = 0, .min_samples = 10, .max_samples = 10}, world.world());
  EXPECT_EQ(measure(rule, world, [](std::size_t) { return 1.0; }), stop_reason::precise);
}

TEST(stopping_rule, ends_at_once_when_cancelled_and_stays_so) {
  fake_world world;
  stopping_rule rule({}, world.world());
  EXPECT_EQ(rule.stop(), std::nullopt);
  world.cancel = true;
  EXPECT_EQ(rule.stop(), stop_reason::cancelled);
  world.cancel = false;
  EXPECT_EQ(rule.stop(), stop_reason::cancelled);
}

TEST(stop_reason, survives_a_round_trip) {
  for (const stop_reason reason :
       {stop_reason::precise, stop_reason::max_samples, stop_reason::max_seconds, stop_reason::cancelled}) {
    EXPECT_EQ(parse_stop_reason(to_string(reason)), reason);
  }
  EXPECT_EQ(to_string(stop_reason::max_seconds), "max_seconds");
  EXPECT_EQ(parse_stop_reason("bored"), std::nullopt);
}

}  // namespace
}  // namespace harness
