#include "ess_core/device/sim/cost_model.h"

#include <random>

#include "ess_core/device/sim/tests/round_hardware.h"
#include "ess_core/model/presets.h"

namespace ess::sim {
namespace {

using test::round_hardware;

model_dims full_model() { return find_model_preset("deepseek_v3_2").value(); }

cost_table table(std::vector<table_curve> curves) { return {std::move(curves), evidence::assumed, "a test"}; }

cost_table always(double us) { return table({{.x = 1, .points = {{1, us}, {1e6, us}}}}); }

// Times of a layer's attention that are larger than those of its parts.
hardware measured_hardware() {
  hardware hw = round_hardware();
  hw.attention_module = table({{.x = 8, .points = {{1024, 900}, {2048, 1000}, {32'768, 3000}}},
                               {.x = 64, .points = {{1024, 4900}, {2048, 5000}, {32'768, 9000}}}});
  return hw;
}

op_cost cost_of(const cost_model& model, op_kind kind, const op_size& size) {
  return model.of({.kind = kind}, size);
}

double us(const cost_model& model, op_kind kind, const op_size& size) {
  return cost_of(model, kind, size).us;
}

double use(const op_cost& cost, resource what) { return cost.use[static_cast<std::size_t>(what)]; }

op_size batch_of(double requests, double context, double queries = 1) {
  return {.requests = requests,
          .query_tokens = requests * queries,
          .context_tokens = context,
          .attended = requests * queries * 2048};
}

double attention_parts(const cost_model& model, const op_size& size) {
  double sum = 0;
  for (const op_kind part :
       {op_kind::project_index, op_kind::append_key, op_kind::score_keys, op_kind::select_topk,
        op_kind::project_attention, op_kind::append_row, op_kind::attend, op_kind::output})
    sum += us(model, part, size);
  return sum;
}

TEST(cost_model, parts_of_attention_take_what_the_module_was_measured_at) {
  const hardware hw = measured_hardware();
  const model_dims model = full_model();
  const cost_model costs(hw, model, {});
  for (const double requests : {8, 20, 64}) {
    for (const double context : {2048, 5000, 32'768, 40'000}) {
      EXPECT_NEAR(attention_parts(costs, batch_of(requests, context)),
                  hw.attention_module.at(requests, context).us, 1e-6)
          << requests << ", " << context;
    }
  }
}

TEST(cost_model, parts_do_not_fall_below_a_kernel_each) {
  hardware hw = measured_hardware();
  hw.attention_module = hw.attention_module.scaled(1e-3);
  const model_dims model = full_model();
  const cost_model costs(hw, model, {});
  const op_size size = batch_of(8, 32'768);
  EXPECT_DOUBLE_EQ(us(costs, op_kind::project_attention, size), 1);
  EXPECT_GE(us(costs, op_kind::score_keys, size), 1);
}

// Three quarters of what a longer context adds are scores, the rest is selection.
TEST(cost_model, what_grows_with_the_context_are_scores_and_selection) {
  const hardware hw = measured_hardware();
  const model_dims model = full_model();
  const cost_model costs(hw, model, {});
  for (const op_kind kind : {op_kind::score_keys, op_kind::select_topk}) {
    EXPECT_DOUBLE_EQ(us(costs, kind, batch_of(8, 500)), 1);
    EXPECT_DOUBLE_EQ(us(costs, kind, batch_of(8, 2048)), 1);
  }
  EXPECT_NEAR(us(costs, op_kind::score_keys, batch_of(8, 32'768)), 1 + 0.75 * 2000, 1e-9);
  EXPECT_NEAR(us(costs, op_kind::select_topk, batch_of(8, 32'768)), 1 + 0.25 * 2000, 1e-9);
  EXPECT_EQ(us(costs, op_kind::project_attention, batch_of(8, 32'768)),
            us(costs, op_kind::project_attention, batch_of(8, 2048)));
}

// The second query token of each of 32 requests takes half as long, where both read the keys together.
TEST(cost_model, keys_may_be_read_once_for_all_query_tokens_of_a_request) {
  const hardware hw = measured_hardware();
  const model_dims model = full_model();
  const cost_model together(hw, model, {.keys = key_reads::once_a_step});
  const cost_model apart(hw, model, {.keys = key_reads::once_a_query_token});
  const op_size size = batch_of(32, 32'768, 2);
  EXPECT_NEAR(us(apart, op_kind::score_keys, size), 1 + 0.75 * 4000, 1e-9);
  EXPECT_NEAR(us(together, op_kind::score_keys, size), 1 + 0.75 * 4000 * 0.75, 1e-9);
  EXPECT_EQ(us(together, op_kind::select_topk, size), us(apart, op_kind::select_topk, size));
}

TEST(cost_model, beyond_its_tables_it_says_how_far_and_at_last_refuses) {
  const hardware hw = measured_hardware();
  const model_dims model = full_model();
  const cost_model costs(hw, model, {});
  EXPECT_EQ(cost_of(costs, op_kind::score_keys, batch_of(64, 32'768)).stretch, 1);
  EXPECT_DOUBLE_EQ(cost_of(costs, op_kind::score_keys, batch_of(64, 65'536)).stretch, 2);
  EXPECT_DOUBLE_EQ(cost_of(costs, op_kind::project_attention, batch_of(256, 4096)).stretch, 4);
  EXPECT_THROW((void)us(costs, op_kind::score_keys, batch_of(64, 400'000)), beyond_table);
  EXPECT_THROW((void)us(costs, op_kind::project_attention, batch_of(700, 4096)), beyond_table);
}

TEST(cost_model, attention_takes_the_time_of_its_pairs_and_dense_attention_that_of_its_table) {
  hardware hw = round_hardware();
  model_dims model = full_model();
  const cost_model sparse(hw, model, {});
  // 2 operations a pair for 128 heads x (576 + 512), at 1,000 TFLOPS.
  EXPECT_NEAR(us(sparse, op_kind::attend, {.query_tokens = 1, .attended = 1e6}), 1 + 278.528, 1e-9);
  EXPECT_DOUBLE_EQ(us(sparse, op_kind::attend, {.query_tokens = 1}), 1);
  model = find_model_preset("deepseek_v3").value();
  hw.dense_attention = table({{.x = 4, .points = {{1000, 50}, {8000, 400}}}});
  const cost_model dense(hw, model, {});
  EXPECT_NEAR(us(dense, op_kind::attend, batch_of(4, 8000)), 400, 1e-9);
}

// 656 bytes a row: 1,000 rows in take 65.6 us at 10 GB/s and out 32.8 us at 20 GB/s.
TEST(cost_model, rows_by_one_kernel_take_its_latency_and_their_bytes) {
  hardware hw = round_hardware();
  const model_dims model = full_model();
  {
    const cost_model costs(hw, model, {});
    const op_size size{.requests = 2, .query_tokens = 2, .rows = 1000};
    const op_cost in = cost_of(costs, op_kind::fetch, size);
    EXPECT_NEAR(in.us, 1 + 2 + 65.6, 1e-9);
    EXPECT_NEAR(us(costs, op_kind::fill_pool, size), 1 + 2 + 65.6, 1e-9);
    EXPECT_DOUBLE_EQ(us(costs, op_kind::fetch, {.requests = 2}), 1);  // to find that there is nothing to do
    EXPECT_DOUBLE_EQ(use(in, resource::link_in), 1);
    EXPECT_DOUBLE_EQ(use(in, resource::link_out), 0);
    EXPECT_DOUBLE_EQ(use(in, resource::processors), 0.25);
    EXPECT_DOUBLE_EQ(use(in, resource::host_memory), 8 * 10.0 / 400);
    EXPECT_DOUBLE_EQ(use(in, resource::memory), 10.0 / 2000);
    const op_cost out = cost_of(costs, op_kind::write_back, size);
    EXPECT_NEAR(out.us, 1 + 2 + 32.8, 1e-9);
    EXPECT_DOUBLE_EQ(use(out, resource::link_out), 1);
    EXPECT_DOUBLE_EQ(use(out, resource::link_in), 0);
  }
  hw.gather_in_flight_bytes = {10'000};  // in 2 us: 5 GB/s
  EXPECT_NEAR(us(cost_model(hw, model, {}), op_kind::fetch, {.rows = 1000}), 1 + 2 + 131.2, 1e-9);
}

TEST(cost_model, copies_take_their_calls_and_their_bytes) {
  const hardware hw = round_hardware();
  const model_dims model = full_model();
  const cost_model costs(hw, model, {});
  const op_size size{.requests = 2, .query_tokens = 2, .rows = 1000};
  EXPECT_DOUBLE_EQ(us(costs, op_kind::fetch_by_call, size), 3000);  // one call a row
  EXPECT_NEAR(use(cost_of(costs, op_kind::fetch_by_call, size), resource::link_in), 656e3 / 3e9 / 25e-3,
              1e-12);
  EXPECT_NEAR(us(costs, op_kind::stream_layer, size), 2 * 3 + 656e3 / 25e3, 1e-9);
  EXPECT_NEAR(us(costs, op_kind::store_landed, size), 2 * 5 + 656e3 / 50e3, 1e-9);
  EXPECT_NEAR(us(costs, op_kind::read_back, size), 5 + 8e3 / 50e3, 1e-9);
  EXPECT_NEAR(us(costs, op_kind::take_landed, size), 1 + 2 * 656e3 / 1e6, 1e-9);
  EXPECT_EQ(use(cost_of(costs, op_kind::stream_layer, size), resource::processors), 0);
  EXPECT_EQ(use(cost_of(costs, op_kind::store_landed, size), resource::link_out), 1);
}

// 32 ranks with 8 of 256 experts each; 32 tokens a rank choose 8 of them: 32 rows an expert.
TEST(cost_model, experts_take_the_time_of_the_rows_that_all_ranks_send) {
  hardware hw = round_hardware();
  hw.shared_expert = always(7);
  hw.experts_even = table({{.x = 8, .points = {{1, 10}, {32, 320}}}, {.x = 16, .points = {{1, 20}}}});
  const model_dims model = full_model();
  const cost_model costs(hw, model, {.nodes = 4, .expert_ranks = 32});
  EXPECT_NEAR(us(costs, op_kind::experts, {.query_tokens = 32}), 7 + 320, 1e-9);
  EXPECT_NEAR(us(costs, op_kind::experts, {.query_tokens = 8}), 7 + 80, 1e-9);
}

TEST(cost_model, fewer_rows_than_experts_take_what_was_measured_for_them) {
  hardware hw = round_hardware();
  const model_dims model = full_model();
  const cluster many{.nodes = 2, .expert_ranks = 16};
  hw.shared_expert = always(7);
  // Every rank holds 16 experts; of half of them a row: 8 x 3 x 7,168 x 2,048 bytes.
  EXPECT_NEAR(us(cost_model(hw, model, many), op_kind::experts, {.query_tokens = 1}), 7 + 2 + 352.321536,
              1e-9);
  hw.experts_even = table({{.x = 16, .points = {{0.5, 60}, {1, 100}}}});
  EXPECT_NEAR(us(cost_model(hw, model, many), op_kind::experts, {.query_tokens = 1}), 7 + 60, 1e-9);
}

TEST(cost_model, imbalance_lies_between_the_tables_of_experts) {
  hardware hw = round_hardware();
  hw.shared_expert = always(7);
  hw.experts_even = always(10);
  const model_dims model = full_model();
  const auto at = [&](double imbalance) {
    return us(cost_model(hw, model, {.expert_ranks = 32, .imbalance = imbalance}), op_kind::experts,
              {.query_tokens = 32});
  };
  EXPECT_NEAR(at(0.6), 17, 1e-9);  // nothing else is known
  hw.experts_skewed = always(20);
  hw.experts_very_skewed = always(60);
  EXPECT_NEAR(at(0), 17, 1e-9);
  EXPECT_NEAR(at(0.3), 22, 1e-9);
  EXPECT_NEAR(at(0.6), 27, 1e-9);
  EXPECT_NEAR(at(0.805), 47, 1e-9);
  EXPECT_NEAR(at(1.01), 67, 1e-9);
}

TEST(cost_model, a_journey_takes_the_slower_of_both_networks) {
  hardware hw = round_hardware();
  const model_dims model = full_model();
  const op_size size{.query_tokens = 100};
  const double values = 100 * 8 * 7168;
  const cost_model one(hw, model, {.nodes = 1, .expert_ranks = 8});
  EXPECT_NEAR(us(one, op_kind::dispatch, size), 4 + values / 100e3, 1e-9);     // fp8, within the node
  EXPECT_NEAR(us(one, op_kind::combine, size), 4 + 2 * values / 100e3, 1e-9);  // bf16
  EXPECT_EQ(use(cost_of(one, op_kind::dispatch, size), resource::link_in), 0);
  const cost_model four(hw, model, {.nodes = 4, .expert_ranks = 32});
  EXPECT_NEAR(us(four, op_kind::dispatch, size), 4 + values * 3 / 4 / 10e3, 1e-9);
  EXPECT_EQ(use(cost_of(four, op_kind::dispatch, size), resource::link_in), 0.125);
  EXPECT_EQ(use(cost_of(four, op_kind::combine, size), resource::network), 1);
  const op_cost alone = cost_of(cost_model(hw, model, {}), op_kind::dispatch, size);
  EXPECT_DOUBLE_EQ(alone.us, 1);
  EXPECT_EQ(use(alone, resource::network), 0);
  hw.dispatch = table({{.x = 4, .points = {{100, 33}}}});
  EXPECT_DOUBLE_EQ(us(cost_model(hw, model, {.nodes = 4, .expert_ranks = 32}), op_kind::dispatch, size), 33);
}

// Without tables a product streams its weights, once there are many rows it computes.
TEST(cost_model, without_tables_bytes_or_operations_decide) {
  const hardware hw = round_hardware();
  const model_dims model = full_model();
  const cost_model costs(hw, model, {});
  const double weights = 3.0 * 7168 * 18'432;
  const auto feed_forward = [&](double tokens) {
    return us(costs, op_kind::feed_forward, {.query_tokens = tokens});
  };
  EXPECT_NEAR(feed_forward(1), 2 + (weights + 7168 + 2 * 36'864 + 18'432 + 2 * 7168) / 1e6, 1e-9);
  EXPECT_NEAR(feed_forward(10'000), 2 + 2 * weights * 1e4 / 1e9, 1e-6);
  EXPECT_NEAR(us(costs, op_kind::resolve, {.query_tokens = 10}), 2 + 10 * 2048 * 1e-3, 1e-9);
}

TEST(cost_model, without_tables_scores_read_all_keys_and_projections_do_not_depend_on_the_selection) {
  const hardware hw = round_hardware();
  model_dims model = full_model();
  const cost_model costs(hw, model, {});
  // 132 bytes a key: 32 x 10,000 keys in 42.24 us; their 16,384 operations each take 5.24 us.
  for (const double context : {10'000, 1000}) {
    EXPECT_NEAR(us(costs, op_kind::score_keys, batch_of(32, context)), 1 + 42.24 * context / 1e4, 1e-9);
    EXPECT_NEAR(us(costs, op_kind::select_topk, batch_of(32, context)), 1 + 42.24 / 3 * context / 1e4, 1e-9);
  }
  const double projections = us(costs, op_kind::project_attention, batch_of(32, 10'000));
  EXPECT_GT(projections, 1536.0 * 128 * 192 / 1e6);  // one of its weights
  for (const int top_k : {0, 64, 8192}) {
    model.top_k = top_k;
    EXPECT_EQ(us(costs, op_kind::project_attention, batch_of(32, 10'000)), projections) << top_k;
  }
}

TEST(cost_model, outside_of_the_layers_every_query_token_passes_the_head_and_drafts_once_more) {
  const hardware hw = round_hardware();
  model_dims model = full_model();
  const double head = 1 + 2.0 * 7168 * 129'280 / 1e6;  // bf16 weights from memory
  EXPECT_NEAR(cost_model(hw, model, {}).outside_us(10, 10), 100 + head, 1e-6);
  model = with_draft_layers(model);
  EXPECT_NEAR(cost_model(hw, model, {}).outside_us(10, 20), 100 + 2 * head, 1e-6);
}

// More of anything never takes less time.
TEST(cost_model, no_operation_gets_faster_with_more_to_do) {
  const model_dims model = full_model();
  hardware measured = measured_hardware();
  measured.attention_module = table({{.x = 1, .points = {{1024, 900}, {131'072, 3000}}},
                                     {.x = 1024, .points = {{1024, 9000}, {131'072, 50'000}}}});
  for (const hardware& hw : {round_hardware(), measured}) {
    const cost_model costs(hw, model, {.nodes = 4, .expert_ranks = 32});
    for (unsigned seed = 0; seed < 100; ++seed) {
      SCOPED_TRACE(seed);
      std::mt19937 rng(seed);
      const auto upto = [&](unsigned most) { return static_cast<double>(rng() % most); };
      const double requests = 1 + upto(200), queries = 1 + upto(3), context = 100 + upto(100'000);
      const op_size less{.requests = requests,
                         .query_tokens = requests * queries,
                         .context_tokens = context,
                         .rows = upto(100'000),
                         .attended = upto(100'000)};
      const double more_requests = requests + upto(100);
      const op_size more{.requests = more_requests,
                         .query_tokens = more_requests * queries,
                         .context_tokens = context + upto(30'000),
                         .rows = less.rows + upto(1000),
                         .attended = less.attended + upto(1000)};
      for (int kind = 0; kind < op_kind_count; ++kind) {
        const auto what = static_cast<op_kind>(kind);
        if (what == op_kind::select_next || what == op_kind::prefetch) continue;  // not simulated
        EXPECT_LE(us(costs, what, less), us(costs, what, more) + 1e-9) << to_string(what);
      }
    }
  }
}

}  // namespace
}  // namespace ess::sim
