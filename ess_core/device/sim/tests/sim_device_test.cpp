#include "ess_core/device/sim/sim_device.h"

#include <algorithm>
#include <cstring>

#include "ess_core/cache/owned_pool.h"
#include "ess_core/device/sim/tests/simulated.h"

namespace ess::sim {
namespace {

using test::scenario;
using test::simulated;

std::vector<request> mixed_requests(std::int32_t count) {
  std::vector<request> out;
  for (request_id id = 0; id < count; ++id) out.push_back({id, 40 + id * 37 % 160, 20 + id * 13 % 49});
  return out;
}

// All of them, each as soon as there is room. `each` sees every step.
void serve(simulated& f, const std::vector<request>& requests,
           const std::function<void(const step_report&)>& each) {
  for (std::size_t next = 0; next < requests.size() || f.engine->active() > 0;) {
    while (next < requests.size() && f.engine->admit(requests[next])) ++next;
    each(f.engine->step());
  }
}

std::vector<row_counters> counters_of(const simulated& f) {  // [layers][seats]
  std::vector<row_counters> out(static_cast<std::size_t>(f.model.layers * f.layout.shape.seats));
  f.on->read(buffer_id::counters, 0, std::as_writable_bytes(std::span(out)));
  return out;
}

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

// The pool of one request and layer, fed with the same stream by hand.
struct replayed_layer {
  replayed_layer(const simulated& f, const stream_source& source, const seat_state& seat, std::int32_t which)
      : layer(which),
        stream(source, f.model.top_k, seat.request, which),
        pool(f.layout.pool, static_cast<std::size_t>(seat.map_tokens),
             static_cast<std::size_t>(seat.device_rows)),
        ids(static_cast<std::size_t>(f.s.query_tokens * f.model.top_k)) {}

  std::int32_t misses(token_id position, std::int32_t query_tokens, std::int32_t new_tokens,
                      request_id request) {
    stream.select(position, ids);
    std::vector<row_location> locations(ids.size());
    std::vector<row_miss> list(ids.size() + static_cast<std::size_t>(query_tokens));
    resolve_output out{.locations = locations, .misses = list};
    resolve(pool.view(),
            {.selected = ids,
             .query_tokens = query_tokens,
             .first_new = position,
             .new_tokens = new_tokens,
             .draws = counter_rng(simulated::seed, purpose::eviction, static_cast<std::uint32_t>(layer)),
             .first_draw = static_cast<std::uint64_t>(request) << 32},
            out);
    return out.missed;
  }

  std::int32_t layer;
  index_stream stream;
  owned_pool pool;
  std::vector<token_id> ids;
};

// Three requests of six are followed: what the others are thought to miss has thirds of rows.
TEST(sim_device, a_followed_request_misses_what_its_pool_misses) {
  for (const pool_kind policy : {pool_kind::lru, pool_kind::random, pool_kind::sieve}) {
    SCOPED_TRACE(to_string(policy));
    const stream_source source = test::small_streams();
    simulated f({.ess = {.sparse_ratio = 0.25, .policy = policy},
                 .query_tokens = 2,
                 .mean_kept = 1.7,
                 .seats = 6,
                 .device = {.hardware = test::round_hardware(), .locality = source, .followed_requests = 3}});
    f.fill(150, 240);
    std::map<std::pair<request_id, std::int32_t>, replayed_layer> pools;
    for (int step = 0; step < 140; ++step) {
      f.engine->step();
      const auto counters = counters_of(f);
      for (std::int32_t i = 0; i < f.engine->active(); ++i) {
        const seat_state& seat = f.engine->seats()[static_cast<std::size_t>(i)];
        EXPECT_EQ(f.on->follows(seat), i < 3);
        if (!f.on->follows(seat)) continue;
        const std::vector<token_id> ids = f.engine->selected(i);
        for (std::int32_t layer = 0; layer < f.model.layers; ++layer) {
          const auto [at, is_new] = pools.try_emplace({seat.request, layer}, f, source, seat, layer);
          replayed_layer& own = at->second;
          for (token_id window = is_new ? 150 - 32 : 150; window < 150; window += 2)
            (void)own.misses(window, 2, 0, seat.request);
          const auto misses = own.misses(seat.position, 2, 2, seat.request);
          const row_counters& c = counters[static_cast<std::size_t>(layer * f.layout.shape.seats + i)];
          ASSERT_EQ(c.misses, misses) << "step " << step << ", seat " << i << ", layer " << layer;
          ASSERT_TRUE(std::ranges::equal(
              own.ids,
              std::span(ids).subspan(static_cast<std::size_t>(layer) * own.ids.size(), own.ids.size())));
        }
      }
    }
  }
}

double mean_misses(const simulated& f) {
  const auto& by_layer = f.engine->misses().by_layer;
  double sum = 0;
  for (const double misses : by_layer) sum += misses;
  return sum;
}

TEST(sim_device, four_requests_stand_for_all_within_the_error_that_they_state) {
  const auto decode = [](std::int32_t followed) {
    simulated f({.seats = 40,
                 .device = {.hardware = test::round_hardware(),
                            .locality = test::small_streams(),
                            .followed_requests = followed}});
    f.fill(300, 80);
    for (int step = 0; step < 60; ++step) f.engine->step();
    const auto notes = f.on->notes();
    EXPECT_EQ(notes.at("followed_requests"), followed == 0 ? 40 : followed);
    return std::pair(mean_misses(f), notes.at("misses_sampling_error"));
  };
  const auto [all, error_of_all] = decode(0);
  const auto [four, error] = decode(4);
  EXPECT_NEAR(four, all, 2 * error * all);
  EXPECT_GT(error, 0);
  EXPECT_LT(error, 0.1);
  EXPECT_LT(error_of_all, error);
}

TEST(sim_device, a_layer_outside_of_the_sample_has_the_counts_of_the_one_like_it) {
  simulated f(
      {.device = {.hardware = test::round_hardware(),
                  .locality = {.stream = test::small_streams().stream,
                               .layers = {{.scattered = 0.01}, {.scattered = 0.02}, {.scattered = 0.2}},
                               .seed = 1},
                  .followed_layers = 2}});
  f.fill(300, 20);
  for (int step = 0; step < 10; ++step) f.engine->step();
  const auto counters = counters_of(f);
  const auto ids = f.engine->selected(0);
  const auto top_k = static_cast<std::size_t>(f.model.top_k);
  for (std::size_t seat = 0; seat < 4; ++seat) {
    EXPECT_EQ(counters[4 + seat].misses, counters[8 + seat].misses);
    EXPECT_EQ(counters[4 + seat].asked, counters[8 + seat].asked);
  }
  EXPECT_EQ(f.on->notes().at("followed_layers"), 2);
  EXPECT_FALSE(std::ranges::equal(std::span(ids).first(top_k), std::span(ids).subspan(top_k, top_k)));
  EXPECT_TRUE(std::ranges::equal(std::span(ids).subspan(top_k, top_k), std::span(ids).subspan(2 * top_k)));
}

// Who comes takes the place in the sample of who has left, whichever seats they have.
TEST(sim_device, requests_are_followed_as_others_leave) {
  simulated f(
      {.device = {
           .hardware = test::round_hardware(), .locality = test::small_streams(), .followed_requests = 2}});
  f.fill(100, 5);
  for (int step = 0; step < 5; ++step) f.engine->step();
  ASSERT_EQ(f.engine->active(), 0);
  ASSERT_TRUE(f.engine->admit({10, 120, 5}));
  ASSERT_TRUE(f.engine->admit({11, 120, 5}));
  f.engine->step();
  for (const seat_state& seat : f.engine->seats()) EXPECT_TRUE(f.on->follows(seat)) << seat.request;
  for (int step = 0; step < 4; ++step) f.engine->step();
  EXPECT_EQ(f.on->notes().at("followed_requests"), 4);
}

TEST(sim_device, counts_every_request_that_it_has_followed) {
  simulated f(
      {.device = {
           .hardware = test::round_hardware(), .locality = test::small_streams(), .followed_requests = 0}});
  serve(f, mixed_requests(11), [](const step_report&) {});
  EXPECT_EQ(f.on->notes().at("followed_requests"), 11);
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
