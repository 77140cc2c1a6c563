#include "ess_core/device/sim/sim_device.h"

#include <algorithm>

#include "ess_core/device/sim/tests/simulated.h"

namespace ess::sim {
namespace {

using test::mixed_requests;
using test::scenario;
using test::serve;
using test::simulated;

// The engine itself checks hits + misses = asked and rows fetched = misses, by seat and layer.
TEST(sim_device, accounts_for_every_row_under_every_system_and_overlap) {
  for (const std::string_view name : system_names()) {
    for (const overlap_kind kind : all_overlaps) {
      for (const std::int32_t halves : {1, 2}) {
        SCOPED_TRACE(std::string(name) + ", " + std::string(to_string(kind)) + ", " + std::to_string(halves));
        simulated f({.system = name,
                     .preset = "tiny_moe",
                     .overlap = {.kind = kind, .micro_batches = halves, .experts_elsewhere = halves == 2},
                     .query_tokens = 2,
                     .mean_kept = 1.6,
                     .device = {.hardware = test::round_hardware(),
                                .cluster = {.nodes = 2, .expert_ranks = 4},
                                .locality = test::small_streams(),
                                .followed_requests = 2}});
        std::int64_t kept = 0;
        serve(f, mixed_requests(9), [&](const step_report& report) {
          const row_totals& rows = report.rows;
          const std::int64_t cells = std::int64_t{report.active} * f.model.layers;
          EXPECT_GT(rows.asked, cells * 20);
          EXPECT_LE(rows.asked, cells * 2 * f.model.top_k);
          EXPECT_EQ(rows.rows_out, f.system->home() == latent_home::host ? 2 * cells : 0);
          if (f.system->addressing() == row_addressing::by_location) {
            EXPECT_EQ(rows.rows_in, rows.misses);
          }
          EXPECT_GT(report.timing.total.count(), 100);
          for (const std::int32_t tokens : report.kept) kept += tokens;
        });
        std::int64_t wanted = 0;
        for (const request& r : mixed_requests(9)) wanted += r.output_tokens;
        EXPECT_EQ(kept, wanted);
      }
    }
  }
}

std::vector<step_timing> timings(int threads, std::shared_ptr<shared_streams> streams = nullptr) {
  simulated f({.preset = "tiny_moe",
               .overlap = {.kind = overlap_kind::da, .micro_batches = 2, .experts_elsewhere = true},
               .query_tokens = 2,
               .mean_kept = 1.5,
               .device = {.hardware = test::round_hardware(),
                          .cluster = {.nodes = 2, .expert_ranks = 4},
                          .locality = test::small_streams(),
                          .followed_requests = 3,
                          .threads = threads,
                          .streams = std::move(streams)}});
  f.fill(150, 100);
  std::vector<step_timing> out;
  for (int step = 0; step < 40; ++step) out.push_back(f.engine->step().timing);
  return out;
}

void expect_same(const std::vector<step_timing>& a, const std::vector<step_timing>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].total.count(), b[i].total.count()) << i;
    const auto same = [](const op_timing& x, const op_timing& y) {
      return x.start == y.start && x.end == y.end;
    };
    EXPECT_TRUE(std::ranges::equal(a[i].operations, b[i].operations, same)) << i;
  }
}

TEST(sim_device, times_are_the_same_to_the_bit_whoever_computes_them) {
  const auto once = timings(1);
  EXPECT_NE(once[20].total, once[21].total);  // misses differ from step to step
  expect_same(once, timings(1));
  expect_same(once, timings(3));
  const auto streams = std::make_shared<shared_streams>(shared_streams::key{.source = test::small_streams(),
                                                                            .top_k = 32,
                                                                            .query_tokens = 2,
                                                                            .mean_kept = 1.5,
                                                                            .seed = simulated::seed,
                                                                            .first_position = 150 - 32});
  expect_same(once, timings(2, streams));
  expect_same(once, timings(1, streams));  // from what is recorded
}

TEST(sim_device, warm_ups_spare_misses_as_they_do_elsewhere) {
  std::map<warm_up_kind, std::int64_t> misses;
  for (const warm_up_kind kind : {warm_up_kind::windows, warm_up_kind::arbitrary, warm_up_kind::empty}) {
    simulated f({.warm_up = kind});
    f.fill(300, 5);
    misses[kind] = f.engine->step().rows.misses;
  }
  EXPECT_GE(misses[warm_up_kind::empty], 4 * 3 * 31);  // all but the new token
  EXPECT_LT(misses[warm_up_kind::arbitrary], misses[warm_up_kind::empty] * 9 / 10);
  EXPECT_LT(misses[warm_up_kind::windows], misses[warm_up_kind::arbitrary]);
}

// To look at overlap apart from locality: of every request and layer in every step.
TEST(sim_device, misses_may_be_given) {
  sim_device_options device{
      .hardware = test::round_hardware(), .locality = test::small_streams(), .given_misses = 8};
  simulated f({.query_tokens = 2, .mean_kept = 1.5, .device = device});
  f.fill(300, 20);
  for (int step = 0; step < 5; ++step) {
    const step_report report = f.engine->step();
    EXPECT_EQ(report.rows.misses, 4 * f.model.layers * 8);
    EXPECT_EQ(report.rows.rows_in, report.rows.misses);
    EXPECT_FALSE(report.step_overlap.has_value());
  }
  EXPECT_EQ(f.on->notes().at("followed_requests"), 0);
}

TEST(sim_device, charges_memory_as_every_device_does) {
  const simulated f(scenario{});
  const auto items = memory_items(f.layout);
  const auto refused = [&](byte_count device_budget, byte_count host_budget) -> std::optional<out_of_memory> {
    const auto on = make_sim_device({.device_budget = device_budget,
                                     .host_budget = host_budget,
                                     .hardware = test::round_hardware(),
                                     .locality = test::small_streams()});
    try {
      on->allocate(f.layout, 1);
    } catch (const out_of_memory& e) {
      return e;
    }
    return std::nullopt;
  };
  const byte_count device = total(items, memory_tier::device), host = total(items, memory_tier::host);
  EXPECT_FALSE(refused(device, host).has_value());
  EXPECT_FALSE(refused({0}, {0}).has_value());
  const auto no_room = refused(device - byte_count{1}, {0});
  ASSERT_TRUE(no_room.has_value());
  EXPECT_EQ(no_room->tier, memory_tier::device);
  EXPECT_EQ(no_room->budget, device - byte_count{1});
  EXPECT_EQ(no_room->used + no_room->asked, device);
  const auto no_host = refused({0}, host - byte_count{1});
  ASSERT_TRUE(no_host.has_value());
  EXPECT_EQ(no_host->tier, memory_tier::host);
  EXPECT_EQ(no_host->asked, host);
}

TEST(sim_device, says_what_it_has_no_values_for) {
  EXPECT_THROW(simulated({.ess = {.policy = pool_kind::score_aware}}), unsupported);
  EXPECT_THROW(simulated({.ess = {.prefetch_rows = 4}}), unsupported);
  simulated f(scenario{});
  f.fill(100, 5);
  f.engine->step();
  std::array<std::byte, 4> bytes{};
  EXPECT_THROW(f.on->read(buffer_id::hidden, 0, bytes), std::logic_error);
  EXPECT_FALSE(f.on->has_values());
  EXPECT_EQ(f.on->clock(), clock_kind::virtual_clock);
}

}  // namespace
}  // namespace ess::sim
