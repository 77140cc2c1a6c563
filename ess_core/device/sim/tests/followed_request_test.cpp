// The sample of requests and layers whose streams and pools are followed, within a simulated device.
#include "ess_core/device/sim/followed_request.h"

#include <algorithm>
#include <map>

#include "ess_core/device/sim/tests/simulated.h"

namespace ess::sim {
namespace {

using test::counters_of;
using test::mixed_requests;
using test::serve;
using test::simulated;

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
TEST(followed_request, a_followed_request_misses_what_its_pool_misses) {
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

TEST(followed_request, four_requests_stand_for_all_within_the_error_that_they_state) {
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

TEST(followed_request, a_layer_outside_of_the_sample_has_the_counts_of_the_one_like_it) {
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
  // Ids it has none: nothing else may be made of the other layer's.
  const auto none = [&](std::size_t layer) {
    return std::ranges::count(std::span(ids).subspan(layer * top_k, top_k), -1) == f.model.top_k;
  };
  EXPECT_FALSE(none(0));
  EXPECT_TRUE(none(1));
  EXPECT_FALSE(none(2));
}

// Who comes takes the place in the sample of who has left, whichever seats they have.
TEST(followed_request, requests_are_followed_as_others_leave) {
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

TEST(followed_request, counts_every_request_that_it_has_followed) {
  simulated f(
      {.device = {
           .hardware = test::round_hardware(), .locality = test::small_streams(), .followed_requests = 0}});
  serve(f, mixed_requests(11), [](const step_report&) {});
  EXPECT_EQ(f.on->notes().at("followed_requests"), 11);
}

}  // namespace
}  // namespace ess::sim
