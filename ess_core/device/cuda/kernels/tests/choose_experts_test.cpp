#include "ess_core/device/cuda/kernels/choose_experts.h"

#include <cmath>

#include "ess_core/device/cpu/kernels/tests/test_data.h"
#include "ess_core/device/cuda/kernels/tests/batch.h"
#include "ess_core/reference/experts.h"

namespace ess::ESS_CUDA::test {
namespace {

using cpu::test::random_floats;
using cuda_experts = on_device;

constexpr moe_dims full = {
    .experts = 256, .shared_experts = 1, .top_k = 8, .groups = 8, .top_groups = 4, .routed_scale = 2.5};
constexpr moe_dims small = {
    .experts = 8, .shared_experts = 1, .top_k = 3, .groups = 4, .top_groups = 2, .routed_scale = 2.5};
constexpr moe_dims ungrouped = {.experts = 33, .top_k = 5};
constexpr moe_dims singles = {.experts = 8, .top_k = 4, .groups = 8, .top_groups = 4};
constexpr moe_dims wide = {.experts = 80, .top_k = 40, .groups = 40, .top_groups = 25};

batch batch_of(int seats, std::int32_t queries) {
  return {seats_at(std::vector<token_id>(static_cast<std::size_t>(seats))), queries};
}

struct routed {
  std::vector<float> scores;
  std::vector<expert_choice> choice;
};

routed route(const batch& b, const std::vector<float>& logits, const std::vector<float>& bias,
             const moe_dims& moe) {
  const device_array scores(logits), device_bias(bias);
  const device_array<expert_choice> choice(static_cast<std::size_t>(b.lanes() * moe.top_k));
  check(choose_experts({.lanes = b.slice(),
                        .experts = moe.experts,
                        .top_k = moe.top_k,
                        .groups = moe.groups,
                        .top_groups = moe.top_groups,
                        .routed_scale = moe.routed_scale,
                        .scores = scores.data(),
                        .bias = device_bias.data(),
                        .choice = choice.data()},
                       nullptr));
  return {scores.values(), choice.values()};
}

// Of the slice's lanes; of others nothing is written.
void expect_reference(const batch& b, const std::vector<float>& logits, const std::vector<float>& bias,
                      const moe_dims& moe) {
  const routed r = route(b, logits, bias, moe);
  const auto experts = static_cast<std::size_t>(moe.experts), top_k = static_cast<std::size_t>(moe.top_k);
  for (std::size_t lane = 0; lane < static_cast<std::size_t>(b.lanes()); ++lane) {
    const auto scores = part_of(r.scores, experts, lane), before = part_of(logits, experts, lane);
    const auto choice = part_of(r.choice, top_k, lane);
    if (!b.in_slice(static_cast<std::int32_t>(lane))) {
      EXPECT_EQ(scores, before);
      EXPECT_TRUE(is_untouched(choice));
      continue;
    }
    for (std::size_t e = 0; e < experts; ++e)
      ASSERT_NEAR(scores[e], 1 / (1 + std::exp(-double{before[e]})), 1e-7) << before[e];
    const auto want = reference::choose_experts(scores, bias, moe);
    for (std::size_t i = 0; i < top_k; ++i) {
      ASSERT_EQ(choice[i].expert, want[i].expert) << "lane " << lane << " of " << moe.experts << " experts";
      ASSERT_EQ(choice[i].weight, static_cast<float>(want[i].weight));
    }
  }
}

TEST_F(cuda_experts, choice_equals_the_reference) {
  for (const moe_dims& moe : {full, small, ungrouped, singles, wide}) {
    const auto n = static_cast<std::size_t>(moe.experts);
    for (const std::int32_t queries : {1, 3}) {
      const batch b = batch_of(40, queries);
      const auto logits =
          random_floats(n * static_cast<std::size_t>(b.lanes()), static_cast<std::uint32_t>(queries));
      expect_reference(b, logits, random_floats(n, 9, 0.3f), moe);
    }
  }
}

// Few different values: most comparisons, of experts and of groups, are between equals.
TEST_F(cuda_experts, choice_equals_the_reference_where_scores_are_equal) {
  const counter_rng rng(2, purpose::microbenchmark);
  const batch b = batch_of(150, 1);
  std::vector<float> logits(static_cast<std::size_t>(256 * b.lanes())), bias(256);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(rng.below(3, i)) - 1.0f;
  for (std::size_t i = 0; i < bias.size(); ++i)
    bias[i] = 0.25f * static_cast<float>(rng.below(2, logits.size() + i)) - 0.25f;
  expect_reference(b, logits, bias, full);
}

TEST_F(cuda_experts, choice_sees_differences_that_a_sum_in_f32_would_lose) {
  const moe_dims one = {.experts = 2, .top_k = 1};
  const batch b{seats_at({0}), 1, 0, 1};
  EXPECT_EQ(route(b, {200.0f, 200.0f}, {0.0f, 0x1p-25f}, one).choice[0].expert, 1);
  EXPECT_EQ(route(b, {200.0f, 200.0f}, {0.0f, 0.0f}, one).choice[0].expert, 0);
}

// A router that has gone wrong must not make kernels write where nothing is.
TEST_F(cuda_experts, choice_among_nans_is_one_of_experts_that_exist) {
  const batch b{seats_at({0}), 1, 0, 1};
  for (const auto& choice : {route(b, std::vector<float>(256, NAN), std::vector<float>(256), full).choice,
                             route(b, std::vector<float>(256), std::vector<float>(256, NAN), full).choice}) {
    for (int i = 0; i < full.top_k; ++i) EXPECT_EQ(choice[i].expert, i);
  }
}

std::vector<expert_choice> random_choice(const batch& b, const moe_dims& moe) {
  const auto n = static_cast<std::size_t>(moe.experts) * static_cast<std::size_t>(b.lanes());
  std::vector<float> bias = random_floats(static_cast<std::size_t>(moe.experts), 8, 0.2f);
  return route({b.seats, b.queries, 0, static_cast<std::int32_t>(b.seats.size())}, random_floats(n, 3), bias,
               moe)
      .choice;
}

int copies_of(const moe_dims& moe) { return moe.top_k + (moe.shared_experts > 0 ? 1 : 0); }

struct grouped {
  std::vector<std::int32_t> starts, rows;
};

grouped group(const batch& b, const std::vector<expert_choice>& choice, const moe_dims& moe) {
  const device_array device_choice(choice);
  const device_array<std::int32_t> starts(static_cast<std::size_t>(moe.experts) + 2);
  const device_array<std::int32_t> rows(static_cast<std::size_t>(b.lanes() * copies_of(moe)));
  check(group_by_expert({.lanes = b.slice(),
                         .experts = moe.experts,
                         .top_k = moe.top_k,
                         .shared = moe.shared_experts > 0,
                         .choice = device_choice.data(),
                         .starts = starts.data(),
                         .rows = rows.data()},
                        nullptr));
  return {starts.values(), rows.values()};
}

// The plain way: expert by expert, lane by lane.
grouped group_plainly(const batch& b, const std::vector<expert_choice>& choice, const moe_dims& moe) {
  const int copies = copies_of(moe);
  grouped g{{}, std::vector<std::int32_t>(static_cast<std::size_t>(b.lanes() * copies), -1)};
  std::int32_t row = b.first_lane() * copies;
  for (int expert = 0; expert <= moe.experts; ++expert) {
    g.starts.push_back(row);
    for (std::int32_t lane = b.first_lane(); lane < b.end_lane(); ++lane) {
      for (int i = 0; i < copies; ++i) {
        const int own =
            i < moe.top_k ? choice[static_cast<std::size_t>(lane * moe.top_k + i)].expert : moe.experts;
        if (own == expert) g.rows[static_cast<std::size_t>(lane * copies + i)] = row++;
      }
    }
  }
  g.starts.push_back(row);
  return g;
}

TEST_F(cuda_experts, rows_are_grouped_by_expert_and_lane) {
  for (const moe_dims& moe : {full, small, ungrouped}) {
    for (const auto& [seats, queries] : {std::pair{3, 1}, {5, 3}, {133, 1}}) {
      const batch b = batch_of(seats, queries);
      const std::vector<expert_choice> choice = random_choice(b, moe);
      const grouped got = group(b, choice, moe), want = group_plainly(b, choice, moe);
      EXPECT_EQ(got.starts, want.starts);
      EXPECT_EQ(got.rows, want.rows);
    }
  }
}

TEST_F(cuda_experts, lanes_are_copied_to_their_rows_and_results_summed_by_expert) {
  for (const moe_dims& moe : {small, ungrouped}) {
    constexpr std::size_t hidden = 1036;
    const batch b = batch_of(5, 2);
    const auto copies = static_cast<std::size_t>(copies_of(moe)), top_k = static_cast<std::size_t>(moe.top_k);
    const auto lanes = static_cast<std::size_t>(b.lanes()), first = static_cast<std::size_t>(b.first_lane());
    const std::vector<expert_choice> choice = random_choice(b, moe);
    const std::vector<std::int32_t> rows = group_plainly(b, choice, moe).rows;
    const std::vector<float> x = random_floats(static_cast<std::size_t>(b.seat_count * 2) * hidden, 4);
    const device_array device_x(spread(x, hidden, hidden + 4));
    const device_array device_rows(rows);
    const device_array device_choice(choice);
    const device_array<float> input(lanes * copies * hidden);
    check(scatter_to_experts({.lanes = b.slice(),
                              .copies = static_cast<int>(copies),
                              .hidden = hidden,
                              .x = device_x.data(),
                              .x_pitch = hidden + 4,
                              .rows = device_rows.data(),
                              .expert_input = input.data()},
                             nullptr));
    const std::vector<float> output = random_floats(lanes * copies * hidden, 5),
                             y = random_floats(lanes * hidden, 6);
    const device_array device_output(output), device_y(y);
    check(combine_experts({.lanes = b.slice(),
                           .top_k = moe.top_k,
                           .shared = copies > top_k,
                           .hidden = hidden,
                           .choice = device_choice.data(),
                           .rows = device_rows.data(),
                           .expert_output = device_output.data(),
                           .y = device_y.data()},
                          nullptr));
    const std::vector<float> inputs = input.values(), sums = device_y.values();
    std::vector<float> want_inputs(inputs.size(), NAN), want_sums = y;
    for (std::size_t lane = first; lane < static_cast<std::size_t>(b.end_lane()); ++lane) {
      for (std::size_t i = 0; i < hidden; ++i) {
        float sum = 0;
        for (std::size_t copy = 0; copy < copies; ++copy) {
          const auto row = static_cast<std::size_t>(rows[lane * copies + copy]);
          want_inputs[row * hidden + i] = x[(lane - first) * hidden + i];
          sum = std::fma(output[row * hidden + i], copy < top_k ? choice[lane * top_k + copy].weight : 1.0f,
                         sum);
        }
        want_sums[lane * hidden + i] += sum;
      }
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (std::isnan(want_inputs[i])) {
        ASSERT_TRUE(std::isnan(inputs[i])) << i;
      } else {
        ASSERT_EQ(inputs[i], want_inputs[i]) << i;
      }
    }
    EXPECT_EQ(sums, want_sums);
  }
}

}  // namespace
}  // namespace ess::ESS_CUDA::test
