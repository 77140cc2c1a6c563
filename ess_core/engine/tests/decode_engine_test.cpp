#include "ess_core/engine/decode_engine.h"

#include "ess_core/engine/tests/serving.h"

namespace ess::test {
namespace {

TEST(decode_engine, refuses_for_now_or_for_ever) {
  fixture f({.room = 1, .seats = 2});
  EXPECT_TRUE(f.engine->admit({0, 150, 50}));
  EXPECT_FALSE(f.engine->admit({1, 150, 50}));
  EXPECT_THROW((void)f.engine->admit({2, 400, 50}), out_of_memory);
  for (int i = 0; i < 50; ++i) f.engine->step();
  EXPECT_TRUE(f.engine->admit({1, 150, 50}));
}

TEST(decode_engine, accounts_for_every_row) {
  for (const auto name : system_names()) {
    fixture f({.system = name, .room = 2, .seats = 2});
    f.engine->admit_batch({{0, 120, 5}, {1, 90, 5}});
    f.engine->step();
    const step_report report = f.engine->step();
    EXPECT_EQ(report.rows.asked, 2 * f.model.layers * f.model.top_k) << name;
    EXPECT_EQ(report.rows.hits + report.rows.misses, report.rows.asked);
    EXPECT_EQ(report.rows.rows_out, name == "all_gpu" ? 0 : 2 * f.model.layers);
    if (name == "layer_stream") {
      EXPECT_EQ(report.rows.rows_in, f.model.layers * (121 + 91));
    }
    ASSERT_TRUE(report.step_overlap.has_value());
    EXPECT_GT(*report.step_overlap, 0.05);
    EXPECT_LE(*report.step_overlap, 1.0);
  }
}

TEST(decode_engine, warm_up_spares_the_first_step_its_misses) {
  std::map<warm_up_kind, std::int64_t> misses;
  for (const warm_up_kind kind : {warm_up_kind::windows, warm_up_kind::arbitrary, warm_up_kind::empty}) {
    fixture f({.room = 1, .seats = 1});
    decode_engine engine(*f.on, *f.system, f.prefill, {.layout = f.layout, .seed = 3, .warm_up = kind});
    engine.admit_batch({{0, 190, 5}});
    misses[kind] = engine.step().rows.misses;
  }
  // Any 49 rows of 190: three quarters of what is asked for are not among them.
  EXPECT_GT(misses[warm_up_kind::arbitrary], misses[warm_up_kind::windows]);
  EXPECT_LT(misses[warm_up_kind::arbitrary], misses[warm_up_kind::empty] * 9 / 10);
  EXPECT_GE(misses[warm_up_kind::empty], 3 * 31);  // all but perhaps the new token itself, in three layers
  EXPECT_LT(misses[warm_up_kind::windows], misses[warm_up_kind::empty] / 2);
}

// By way of the device a prompt crosses the link once, outwards, and the pool is warmed by rows that are
// there.
TEST(decode_engine, hand_over_says_what_crosses_the_link) {
  for (const hand_over_way way : {hand_over_way::to_host, hand_over_way::via_device}) {
    fixture f({.hand_over = way, .room = 1, .seats = 1});
    ASSERT_TRUE(f.engine->admit({0, 190, 5}));
    const hand_over_totals& got = f.engine->handed_over();
    EXPECT_EQ(got.requests, 1);
    if (way == hand_over_way::via_device) {
      EXPECT_EQ(got.rows_out, 190 * f.model.layers);
      EXPECT_EQ(got.rows_in, 0);
    } else {
      EXPECT_EQ(got.rows_out, 0);
      EXPECT_GT(got.rows_in, f.layout.device_rows * f.model.layers / 2);
      EXPECT_LE(got.rows_in, f.layout.device_rows * f.model.layers);
    }
    EXPECT_EQ(total(memory_items(f.layout), memory_tier::device).value,
              total(memory_items(fixture({.room = 1, .seats = 1}).layout), memory_tier::device).value +
                  f.layout.landing_rows * f.model.layers * f.model.latent_row_bytes().value);
  }
}

TEST(decode_engine, layerwise_overlap_measures_its_layers_in_the_warm_up) {
  fixture f({.room = 1, .seats = 1});
  EXPECT_TRUE(f.engine->layer_misses().empty());
  f.engine->admit_batch({{0, 190, 5}});
  ASSERT_EQ(f.engine->layer_misses().size(), static_cast<std::size_t>(f.model.layers));
  for (const double misses : f.engine->layer_misses()) {
    EXPECT_GT(misses, 0);
    EXPECT_LT(misses, f.model.top_k);
  }
  decode_engine given(*f.on, *f.system, f.prefill,
                      {.layout = f.layout, .seed = 3, .layer_misses = {1, 2, 3, 4}});
  given.admit_batch({{0, 190, 5}});
  EXPECT_EQ(given.layer_misses(), (std::vector<double>{1, 2, 3, 4}));
}

TEST(decode_engine, a_system_that_does_not_warm_up_starts_empty) {
  fixture f({.system = "hisparse", .room = 1, .seats = 1});
  f.engine->admit_batch({{0, 190, 5}});
  EXPECT_GE(f.engine->step().rows.misses, 3 * 31);
  EXPECT_EQ(f.prefill.window_ids(0, 190), nullptr);
}

// A request that brings its selections along warms the pool to the same state as one whose selections are
// made here.
TEST(decode_engine, warm_up_from_kept_selections_is_the_same) {
  std::vector<row_totals> first_steps;
  fixture f({.room = 1, .seats = 1});
  for (int round = 0; round < 2; ++round) {
    decode_engine engine(*f.on, *f.system, f.prefill, {.layout = f.layout, .seed = 3});
    EXPECT_EQ(f.prefill.window_ids(0, 190) != nullptr, round == 1);
    engine.admit_batch({{0, 190, 5}});
    first_steps.push_back(engine.step().rows);
  }
  EXPECT_EQ(first_steps[0].misses, first_steps[1].misses);
  EXPECT_EQ(first_steps[0].hits, first_steps[1].hits);
}

}  // namespace
}  // namespace ess::test
