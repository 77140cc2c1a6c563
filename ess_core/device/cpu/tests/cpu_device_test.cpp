#include "ess_core/device/cpu/cpu_device.h"

#include "baselines/systems.h"
#include "ess_core/engine/capacity.h"
#include "ess_core/engine/decode_engine.h"
#include "ess_core/model/presets.h"

namespace ess {
namespace {

constexpr token_id prompt = 300;
constexpr token_id steps = 12;

// Everything observable of a run: the hidden state after every step, and every selection.
struct trace {
  std::vector<std::vector<float>> hidden;
  std::vector<std::vector<token_id>> selected;
  row_totals rows;
};

struct run_options {
  std::string_view model = "tiny";
  std::string_view system = "all_gpu";
  overlap_kind overlap = overlap_kind::none;
  std::int32_t batch = 3;
  int threads = 1;
  ess_options ess = {};
  std::int32_t pitch = 0;
  link_settings link = {};
};

trace run(const run_options& o) {
  const model_dims model = find_model_preset(o.model).value();
  const auto system = make_system(o.system, o.ess);
  const auto device = make_cpu_device({.link = o.link, .compute_threads = o.threads});
  const batch_plan plan{.model = model, .final_tokens = prompt + steps, .host_row_pitch = o.pitch};
  const memory_layout layout = make_layout(plan, *system, o.batch, o.batch);
  device->allocate(layout, 5);
  prefill_source prefill(model, 5);
  decode_engine engine(*device, *system, prefill, {.layout = layout, .seed = 5, .overlap = o.overlap});
  std::vector<request> requests;
  for (std::int32_t i = 0; i < o.batch; ++i) requests.push_back({i, prompt - 7 * i, steps});
  engine.admit_batch(requests);
  trace out;
  for (token_id s = 0; s < steps; ++s) {
    const step_report report = engine.step();
    out.rows += report.rows;
    out.hidden.emplace_back(static_cast<std::size_t>(o.batch * model.hidden));
    device->read(buffer_id::hidden, 0, std::as_writable_bytes(std::span(out.hidden.back())));
    out.selected.emplace_back(static_cast<std::size_t>(model.layers * o.batch * model.top_k));
    device->read(buffer_id::selected, 0, std::as_writable_bytes(std::span(out.selected.back())));
  }
  return out;
}

TEST(cpu_device, every_system_without_overlap_equals_all_gpu_bit_for_bit) {
  for (const std::string_view model : {"tiny", "tiny_moe"}) {
    const trace want = run({.model = model});
    for (const auto system : system_names()) {
      const trace got = run({.model = model, .system = system});
      EXPECT_EQ(got.hidden, want.hidden) << model << ", " << system;
      EXPECT_EQ(got.selected, want.selected) << model << ", " << system;
    }
  }
}

TEST(cpu_device, pools_smaller_than_a_step_equal_all_gpu_too) {
  const trace want = run({});
  for (const std::int64_t rows : {1, 20, 32, 33, 40}) {
    for (const std::string_view system : {"ess", "hisparse"}) {
      const trace got = run({.system = system, .ess = {.pool_rows = rows}});
      EXPECT_EQ(got.hidden, want.hidden) << system << ", " << rows << " rows";
      EXPECT_GT(got.rows.misses, 0);
    }
  }
}

TEST(cpu_device, every_policy_equals_all_gpu_bit_for_bit) {
  const trace want = run({});
  for (const pool_kind policy : {pool_kind::lru, pool_kind::fifo, pool_kind::random, pool_kind::clock,
                                 pool_kind::sieve, pool_kind::score_aware}) {
    for (const std::int64_t rows : {20, 41}) {
      const trace got = run({.system = "ess", .ess = {.pool_rows = rows, .policy = policy}});
      EXPECT_EQ(got.hidden, want.hidden) << to_string(policy) << ", " << rows << " rows";
      EXPECT_EQ(got.rows.rows_in, got.rows.misses);
    }
  }
}

TEST(cpu_device, a_wider_host_pitch_changes_nothing_but_memory) {
  EXPECT_EQ(run({.system = "ess", .pitch = 704}).hidden, run({}).hidden);
  EXPECT_EQ(run({.system = "layer_stream", .pitch = 704}).hidden, run({}).hidden);
}

TEST(cpu_device, results_do_not_depend_on_threads_or_batch) {
  for (const std::string_view model : {"tiny", "tiny_moe"}) {
    const trace one = run({.model = model});
    EXPECT_EQ(run({.model = model, .threads = 3}).hidden, one.hidden) << model;
    const trace larger = run({.model = model, .batch = 9});
    const std::size_t width = one.hidden[0].size();
    for (std::size_t s = 0; s < one.hidden.size(); ++s) {
      EXPECT_TRUE(std::equal(one.hidden[s].begin(), one.hidden[s].end(), larger.hidden[s].begin()))
          << model << ", step " << s;
      EXPECT_EQ(width * 3, larger.hidden[s].size());
    }
  }
}

TEST(cpu_device, pacing_changes_times_only) {
  const link_settings link{.paced = true, .gather_gb_per_s = 0.5, .copy_gb_per_s = 1.0, .call_us = 1.0};
  EXPECT_EQ(run({.system = "ess", .overlap = overlap_kind::da, .link = link}).hidden,
            run({.system = "ess", .overlap = overlap_kind::da}).hidden);
}

// Another order of sums: near, not equal.
TEST(cpu_device, dual_attention_stays_near) {
  const trace want = run({});
  const trace got = run({.system = "ess", .overlap = overlap_kind::da});
  EXPECT_GT(got.rows.misses, 0);
  for (std::size_t i = 0; i < want.hidden[0].size(); ++i)
    EXPECT_NEAR(got.hidden[0][i], want.hidden[0][i], 1e-3);
}

// Halves of the batch change the order of operations, not of any sum.
TEST(cpu_device, dual_batch_attention_equals_dual_attention) {
  EXPECT_EQ(run({.system = "ess", .overlap = overlap_kind::dba}).hidden,
            run({.system = "ess", .overlap = overlap_kind::da}).hidden);
}

TEST(cpu_device, out_of_memory_names_tier_and_numbers) {
  const model_dims model = find_model_preset("tiny").value();
  const auto device = make_cpu_device({.device_budget = byte_count{1'000'000}});
  const memory_layout layout =
      make_layout({.model = model, .final_tokens = 512}, *make_system("all_gpu", {}), 4, 4);
  EXPECT_THROW(device->allocate(layout, 1), out_of_memory);
}

TEST(cpu_device, refuses_operations_that_a_layer_has_no_weights_for_before_running_any) {
  const model_dims model = find_model_preset("tiny_moe").value();
  const auto device = make_cpu_device({});
  device->allocate(make_layout({.model = model, .final_tokens = 64}, *make_system("all_gpu", {}), 1, 1), 1);
  for (const operation& op : {operation{.kind = op_kind::dispatch, .layer = 0, .slice = {0, 1}},
                              operation{.kind = op_kind::feed_forward, .layer = 1, .slice = {0, 1}}}) {
    const step_program program{.layers = 3, .seats = 1, .operations = {op}};
    EXPECT_THROW(device->run(program), unsupported) << to_string(op.kind);
  }
}

TEST(cpu_device, refuses_a_router_that_cannot_choose) {
  model_dims model = find_model_preset("tiny_moe").value();
  model.moe.experts = 4;
  const auto device = make_cpu_device({});
  EXPECT_THROW(device->allocate(
                   make_layout({.model = model, .final_tokens = 64}, *make_system("all_gpu", {}), 1, 1), 1),
               unsupported);
}

TEST(cpu_device, reads_and_writes_stay_inside_their_buffer) {
  const model_dims model = find_model_preset("tiny").value();
  const auto device = make_cpu_device({});
  device->allocate(make_layout({.model = model, .final_tokens = 64}, *make_system("all_gpu", {}), 1, 1), 1);
  std::vector<std::byte> bytes(16);
  EXPECT_THROW(device->read(buffer_id::hidden, model.hidden * 4 - 8, bytes), std::out_of_range);
  EXPECT_THROW(device->write(buffer_id::hidden, -1, bytes), std::out_of_range);
}

// Rows ranked just below the cut come ahead; some of them are asked for next, so fewer are missed. Nothing
// that is computed changes.
TEST(cpu_device, rows_fetched_ahead_spare_misses_and_change_no_result) {
  const ess_options pool{.sparse_ratio = 0.3};
  ess_options ahead = pool;
  ahead.prefetch_rows = 16;
  const trace without = run({.system = "ess", .ess = pool});
  const trace with = run({.system = "ess", .ess = ahead});
  EXPECT_EQ(with.hidden, without.hidden);
  EXPECT_EQ(with.selected, without.selected);
  EXPECT_EQ(with.rows.rows_in, with.rows.misses);
  EXPECT_EQ(without.rows.ahead_in, 0);
  EXPECT_GT(with.rows.ahead_in, 0);
  EXPECT_GT(with.rows.ahead_used, 0);
  EXPECT_LE(with.rows.ahead_used + with.rows.ahead_lost, with.rows.ahead_in);
  EXPECT_LT(with.rows.misses, without.rows.misses);
}

}  // namespace
}  // namespace ess
