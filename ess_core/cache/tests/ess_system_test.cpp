#include "ess_core/cache/ess_system.h"

#include <algorithm>
#include <array>

#include "ess_core/model/presets.h"
#include "ess_core/step/decode_step.h"
#include "ess_core/step/validator.h"

namespace ess {
namespace {

model_dims tiny() { return find_model_preset("tiny").value(); }

TEST(ess_system, extent_follows_ratio_or_number) {
  const request_extent by_ratio = ess_system({.sparse_ratio = 0.2}).extent(tiny(), 1000, 1);
  EXPECT_EQ(by_ratio.device_rows, 200);
  EXPECT_EQ(by_ratio.staging_rows, 0);
  EXPECT_EQ(by_ratio.index_tokens, 1024);
  EXPECT_EQ(by_ratio.host_rows, 1000);
  const request_extent small = ess_system({.pool_rows = 20}).extent(tiny(), 1000, 2);
  EXPECT_EQ(small.device_rows, 20);
  EXPECT_EQ(small.staging_rows, 2 * 33 - 20);
  EXPECT_EQ(ess_system({.pool_rows = 5000}).extent(tiny(), 1000, 1).device_rows, 1000);
}

TEST(ess_system, programs_are_sound_under_every_overlap) {
  for (const overlap_kind overlap : all_overlaps) {
    for (const std::int32_t seats : {1, 2, 3}) {
      const step_program p = build_decode_step(tiny(), {.seats = seats}, ess_system({}), {.kind = overlap});
      EXPECT_TRUE(validate(p).empty()) << to_string(overlap) << ", " << seats;
    }
  }
  EXPECT_TRUE(
      validate(build_warm_up_step(tiny(), {.seats = 3}, ess_system({}), {1, 1}, warm_up_ids::selected))
          .empty());
  EXPECT_TRUE(
      validate(build_warm_up_step(tiny(), {.seats = 3}, ess_system({}), {1, 1}, warm_up_ids::given)).empty());
}

TEST(ess_system, layers_share_the_rows_by_their_weights) {
  const ess_system system({.pool_rows = 100, .pool_weights = {1, 3, 2}});
  EXPECT_EQ(system.layer_weights(tiny()), (std::vector<std::uint32_t>{32'768, 98'304, 65'536}));
  const request_extent e = system.extent(tiny(), 1000, 4);
  EXPECT_EQ(e.device_rows, 100);
  EXPECT_EQ(e.staging_rows, 4 * 33 - 50);  // of the smallest layer
  EXPECT_TRUE(ess_system({}).layer_weights(tiny()).empty());
  EXPECT_THROW(ess_system({.pool_weights = {1, 0}}), std::invalid_argument);
  // However small its weight, a layer has a row.
  EXPECT_GE(ess_system({.pool_rows = 2, .pool_weights = {1, 100, 100}}).extent(tiny(), 1000, 1).device_rows,
            67);
}

TEST(ess_system, two_micro_batches_take_turns_and_the_link_runs_under_the_other) {
  const step_program p = build_decode_step(tiny(), {.seats = 3}, ess_system({}), {.micro_batches = 2});
  EXPECT_TRUE(validate(p).empty());
  const auto first = std::ranges::find(p.operations, op_kind::fetch, &operation::kind);
  ASSERT_NE(first, p.operations.end());
  EXPECT_EQ(first->slice, (batch_slice{0, 2}));
  const auto scores = std::find_if(first, p.operations.end(),
                                   [](const operation& op) { return op.kind == op_kind::score_keys; });
  EXPECT_EQ(scores->slice, (batch_slice{2, 1}));
  const auto attention =
      std::find_if(first, p.operations.end(), [](const operation& op) { return op.kind == op_kind::attend; });
  EXPECT_LT(scores, attention);
  EXPECT_EQ(attention->slice, (batch_slice{0, 2}));
}

// What comes ahead may come while the rows of the step are attended.
TEST(ess_system, prefetch_waits_for_candidates_and_delays_no_attention) {
  const ess_system system({.prefetch_rows = 8});
  for (const overlap_kind overlap : all_overlaps) {
    const step_program p = build_decode_step(tiny(), {.seats = 2}, system, {.kind = overlap});
    EXPECT_TRUE(validate(p).empty()) << to_string(overlap);
    for (const operation& op : p.operations) {
      for (const std::int32_t wait : op.waits) {
        const operation& awaited = p.operations[static_cast<std::size_t>(wait)];
        EXPECT_FALSE(awaited.kind == op_kind::prefetch && awaited.layer == op.layer) << to_string(op.kind);
      }
    }
  }
  EXPECT_THROW(ess_system({.policy = pool_kind::clock, .prefetch_rows = 8}), std::invalid_argument);
}

TEST(overlap, layers_with_many_misses_take_dual_batch_attention) {
  using enum overlap_kind;
  EXPECT_EQ(overlap_by_misses(std::vector<double>{3, 20, 5}, 5), (std::vector{da, dba, dba}));
  const step_program p =
      build_decode_step(tiny(), {.seats = 2}, ess_system({}), {.kind = layerwise, .by_layer = {da, dba}});
  std::array<int, 3> fetches{};
  for (const operation& op : p.operations)
    if (op.kind == op_kind::fetch) ++fetches[static_cast<std::size_t>(op.layer)];
  EXPECT_THAT(fetches, testing::ElementsAre(1, 2, 1));
}

// Dual attention is what the name says: nothing on the compute stream waits for the fetch but the attention
// of the rows that it brings.
TEST(ess_system, dual_attention_hides_the_fetch) {
  const step_program p = build_decode_step(tiny(), {.seats = 3}, ess_system({}), {.kind = overlap_kind::da});
  for (const operation& op : p.operations) {
    if (op.stream != stream_id::compute) continue;
    for (const std::int32_t wait : op.waits) {
      if (p.operations[static_cast<std::size_t>(wait)].kind != op_kind::fetch) continue;
      EXPECT_TRUE(op.kind == op_kind::attend && op.part == row_part::incoming) << to_string(op.kind);
    }
  }
}

// While the first half's rows come in, the second half's keys are scored.
TEST(ess_system, dual_batch_attention_also_hides_the_fetch_under_the_indexer) {
  const step_program p = build_decode_step(tiny(), {.seats = 3}, ess_system({}), {.kind = overlap_kind::dba});
  const auto first = std::ranges::find(p.operations, op_kind::fetch, &operation::kind);
  ASSERT_NE(first, p.operations.end());
  EXPECT_EQ(first->slice, (batch_slice{0, 2}));
  const auto scores = std::find_if(first, p.operations.end(),
                                   [](const operation& op) { return op.kind == op_kind::score_keys; });
  ASSERT_NE(scores, p.operations.end());
  EXPECT_EQ(scores->layer, first->layer);
  EXPECT_EQ(scores->slice, (batch_slice{2, 1}));
  EXPECT_THAT(scores->waits, testing::Not(testing::Contains(first - p.operations.begin())));
}

}  // namespace
}  // namespace ess
