#include "ess_core/device/expert_pieces.h"

namespace ess {
namespace {

// Four lanes, five experts over two ranks: the first has two.
memory_layout a_layout() {
  memory_layout l;
  l.model.layers = 1;
  l.model.hidden = 8;
  l.model.moe = {.experts = 5, .shared_experts = 1, .top_k = 2, .width = 4};
  l.shape = {.seats = 4, .query_tokens = 1};
  l.ranks = 2;
  return l;
}

constexpr std::int64_t row = 8 * 4;  // bytes

TEST(expert_pieces, are_one_for_each_rank) {
  const memory_layout l = a_layout();
  EXPECT_EQ(l.own_expert_rows(), 12);
  EXPECT_EQ(l.arrived_rows_per_lane(), 4);  // two ranks, two experts of a token
  // Rows of experts 0 and 1 go to the first rank: 0 to 2; the shared expert's, from 8 on, nowhere.
  const std::vector<std::int32_t> starts = {0, 1, 3, 3, 6, 8, 12};
  const std::vector<std::int32_t> counts = {1, 2, 0, 3};
  const expert_pieces pieces{.layout = l, .slice = {0, 4}, .starts = starts, .arrived_counts = counts};
  const rank_pieces own = pieces.own();
  EXPECT_EQ(own.offsets, (std::vector<std::int64_t>{0, 3 * row}));
  EXPECT_EQ(own.bytes, (std::vector<std::int64_t>{3 * row, 5 * row}));
  EXPECT_EQ(own.bytes_to_others(0), 5 * row);
  const rank_pieces arrived = pieces.arrived();
  EXPECT_EQ(arrived.offsets, (std::vector<std::int64_t>{12 * row, 15 * row}));
  EXPECT_EQ(arrived.bytes, (std::vector<std::int64_t>{3 * row, 3 * row}));
  EXPECT_EQ(pieces.arrived_rows(), 6);
  std::vector<std::int64_t> by_expert;
  pieces.count_own_rows(by_expert);
  EXPECT_EQ(by_expert, (std::vector<std::int64_t>{1, 2, 0, 3, 2}));
}

// Micro-batches are on their way at the same time.
TEST(expert_pieces, of_slices_do_not_share_rows) {
  const memory_layout l = a_layout();
  const std::vector<std::int32_t> none(7), counts(4);
  const expert_pieces second{.layout = l, .slice = {2, 2}, .starts = none, .arrived_counts = counts};
  EXPECT_EQ(second.first_arrived_row(), 12 + 2 * 4);
  EXPECT_EQ(buffer_bytes(l, buffer_id::expert_input).value, (12 + 4 * 4) * row);
}

}  // namespace
}  // namespace ess
