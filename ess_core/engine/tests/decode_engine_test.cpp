#include "ess_core/engine/decode_engine.h"

#include <map>

#include "baselines/systems.h"
#include "ess_core/device/cpu/cpu_device.h"
#include "ess_core/engine/capacity.h"
#include "ess_core/model/presets.h"

namespace ess {
namespace {

constexpr token_id longest = 200;

struct fixture {
  fixture(std::string_view name, std::int32_t room, std::int32_t seats, std::string_view preset = "tiny")
      : model(find_model_preset(preset).value()),
        system(make_system(name, {.sparse_ratio = 0.25})),
        on(make_cpu_device({})) {
    layout =
        make_layout({.model = model, .final_tokens = longest, .shortest_tokens = 1}, *system, room, seats);
    on->allocate(layout, 3);
    engine =
        std::make_unique<decode_engine>(*on, *system, prefill, engine_options{.layout = layout, .seed = 3});
  }

  model_dims model;
  std::unique_ptr<cache_system> system;
  std::unique_ptr<ess::device> on;
  memory_layout layout;
  prefill_source prefill{model, 3};
  std::unique_ptr<decode_engine> engine;
};

// Hidden states of every request after each of its steps, whatever else ran beside it.
using outputs = std::map<request_id, std::vector<std::vector<float>>>;

void step_and_record(fixture& f, outputs& out) {
  f.engine->step();
  const auto& seats = f.engine->seats();
  for (std::size_t i = 0; i < seats.size(); ++i) {
    std::vector<float> hidden(static_cast<std::size_t>(f.model.hidden));
    f.on->read(buffer_id::hidden, static_cast<std::int64_t>(i) * f.model.hidden * 4,
               std::as_writable_bytes(std::span(hidden)));
    out[seats[i].request].push_back(hidden);
  }
}

std::vector<request> mixed_requests() {
  std::vector<request> out;
  for (request_id id = 0; id < 12; ++id) out.push_back({id, 70 + id * 37 % 110, 3 + id * 5 % 9});
  return out;
}

// Continuous batching with requests of all lengths, in room for few: places are reused many times.
outputs serve(std::string_view system, std::int32_t room, std::int32_t seats, std::string_view model) {
  fixture f(system, room, seats, model);
  outputs out;
  const auto requests = mixed_requests();
  for (std::size_t next = 0; next < requests.size() || f.engine->active() > 0;) {
    while (next < requests.size() && f.engine->admit(requests[next])) ++next;
    if (f.engine->active() == 0) throw std::logic_error("an empty engine refuses a request");
    step_and_record(f, out);
  }
  return out;
}

TEST(decode_engine, a_request_decodes_the_same_whoever_is_beside_it) {
  for (const std::string_view model : {"tiny", "tiny_moe"}) {
    outputs alone;
    for (const request& r : mixed_requests()) {
      fixture f("all_gpu", 1, 1, model);
      EXPECT_TRUE(f.engine->admit(r));
      for (token_id s = 0; s < r.output_tokens; ++s) step_and_record(f, alone);
      EXPECT_EQ(f.engine->active(), 0);
    }
    for (const auto name : system_names()) {
      EXPECT_EQ(serve(name, 2, 4, model), alone) << model << ", " << name;
    }
  }
}

TEST(decode_engine, refuses_for_now_or_for_ever) {
  fixture f("ess", 1, 2);
  EXPECT_TRUE(f.engine->admit({0, 150, 50}));
  EXPECT_FALSE(f.engine->admit({1, 150, 50}));
  EXPECT_THROW((void)f.engine->admit({2, 400, 50}), out_of_memory);
  for (int i = 0; i < 50; ++i) f.engine->step();
  EXPECT_TRUE(f.engine->admit({1, 150, 50}));
}

TEST(decode_engine, accounts_for_every_row) {
  for (const auto name : system_names()) {
    fixture f(name, 2, 2);
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
  for (const warm_up_kind kind : {warm_up_kind::windows, warm_up_kind::empty}) {
    fixture f("ess", 1, 1);
    decode_engine engine(*f.on, *f.system, f.prefill, {.layout = f.layout, .seed = 3, .warm_up = kind});
    engine.admit_batch({{0, 190, 5}});
    misses[kind] = engine.step().rows.misses;
  }
  EXPECT_GE(misses[warm_up_kind::empty], 3 * 31);  // all but perhaps the new token itself, in three layers
  EXPECT_LT(misses[warm_up_kind::windows], misses[warm_up_kind::empty] / 2);
}

// A request that brings its selections along warms the pool to the same state as one whose selections are
// made here.
TEST(decode_engine, warm_up_from_kept_selections_is_the_same) {
  std::vector<row_totals> first_steps;
  fixture f("ess", 1, 1);
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
}  // namespace ess
