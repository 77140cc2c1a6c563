// Pools whose counts points of a run share: as if each point had pools of its own.
#include "ess_core/device/sim/pool_run.h"

#include <stdexcept>

#include "ess_core/device/sim/tests/simulated.h"

namespace ess::sim {
namespace {

using test::counters_of;
using test::simulated;

constexpr token_id prompt = 200;
constexpr int steps = 24;

test::scenario scenario_of(warm_up_kind warm_up, double ratio, std::int32_t seats,
                           const std::shared_ptr<shared_streams>& streams) {
  return {.ess = {.sparse_ratio = ratio, .policy = pool_kind::random},
          .warm_up = warm_up,
          .query_tokens = 2,
          .mean_kept = 1.7,
          .seats = seats,
          .device = {.hardware = test::round_hardware(),
                     .locality = test::small_streams(),
                     .followed_requests = 2,
                     .streams = streams}};
}

std::shared_ptr<shared_streams> streams_for(warm_up_kind warm_up) {
  constexpr token_id windows = 32;
  return std::make_shared<shared_streams>(
      shared_streams::key{.source = test::small_streams(),
                          .top_k = find_model_preset("tiny").value().top_k,
                          .query_tokens = 2,
                          .mean_kept = 1.7,
                          .seed = simulated::seed,
                          .first_position = warm_up == warm_up_kind::windows ? prompt - windows : prompt});
}

// What the followed requests count, step by step.
std::vector<row_counters> decode(const test::scenario& what) {
  simulated f(what);
  f.fill(prompt, 2 * steps);
  std::vector<row_counters> out;
  for (int step = 0; step < steps; ++step) {
    f.engine->step();
    const auto counters = counters_of(f);
    for (std::int32_t layer = 0; layer < f.model.layers; ++layer) {
      for (std::int32_t seat = 0; seat < 2; ++seat)
        out.push_back(counters[static_cast<std::size_t>(layer * what.seats + seat)]);
    }
  }
  return out;
}

std::vector<std::int32_t> misses_of(const std::vector<row_counters>& counters) {
  std::vector<std::int32_t> out;
  for (const row_counters& c : counters) out.push_back(c.misses);
  return out;
}

TEST(pool_run, points_that_share_pools_count_as_those_that_do_not) {
  for (const warm_up_kind warm_up : {warm_up_kind::windows, warm_up_kind::arbitrary, warm_up_kind::empty}) {
    SCOPED_TRACE(static_cast<int>(warm_up));
    const auto streams = streams_for(warm_up);
    // Larger batches, another pool between, the first again.
    for (const auto& [ratio, seats] :
         std::vector<std::pair<double, int>>{{0.25, 2}, {0.25, 5}, {0.5, 3}, {0.5, 4}, {0.25, 3}}) {
      const auto alone = misses_of(decode(scenario_of(warm_up, ratio, seats, nullptr)));
      EXPECT_EQ(misses_of(decode(scenario_of(warm_up, ratio, seats, streams))), alone)
          << "ratio " << ratio << ", " << seats << " requests";
    }
  }
}

// What has been counted is read even by a point that takes turns with the one that counts.
TEST(pool_run, points_at_their_own_pace_share_a_pool) {
  const auto streams = streams_for(warm_up_kind::windows);
  simulated ahead(scenario_of(warm_up_kind::windows, 0.25, 3, streams));
  simulated behind(scenario_of(warm_up_kind::windows, 0.25, 4, streams));
  simulated alone(scenario_of(warm_up_kind::windows, 0.25, 4, nullptr));
  for (simulated* f : {&ahead, &behind, &alone}) f->fill(prompt, 2 * steps);
  for (int step = 0; step < steps; ++step) {
    if (step < steps / 2) ahead.engine->step();
    if (step < steps / 2) ahead.engine->step();
    behind.engine->step();
    alone.engine->step();
    EXPECT_EQ(misses_of(counters_of(behind)), misses_of(counters_of(alone))) << "step " << step;
    EXPECT_EQ(behind.engine->selected(0), alone.engine->selected(0)) << "step " << step;
  }
}

TEST(pool_run, refuses_other_positions_than_it_was_run_over) {
  pool_run run({.kind = pool_kind::lru, .slots = 8, .map_tokens = 64});
  const std::vector<token_id> ids = {1, 2, 3};
  EXPECT_EQ(run.step(0, {.position = 10, .new_tokens = 1}, ids).misses, 3);
  EXPECT_EQ(run.step(1, {.position = 11, .new_tokens = 1}, ids).misses, 0);
  EXPECT_EQ(run.step(0, {.position = 10, .new_tokens = 1}, ids).misses, 3);
  EXPECT_THROW(run.step(1, {.position = 12, .new_tokens = 1}, ids), std::logic_error);
  EXPECT_EQ(run.held_rows(0), 0);
  EXPECT_EQ(run.held_rows(1), 4);  // three ids and the new token
}

}  // namespace
}  // namespace ess::sim
