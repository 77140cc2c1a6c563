#include "ess_core/device/cuda/kernels/select_topk.h"

#include <bit>
#include <limits>

#include "ess_core/device/cpu/kernels/tests/test_data.h"
#include "ess_core/device/cuda/kernels/tests/batch.h"
#include "ess_core/reference/indexer.h"

namespace ess::ESS_CUDA::test {
namespace {

using cpu::test::random_floats;
using cuda_select_topk = on_device;

// Contexts up to this length are done by one block, in one launch.
constexpr std::int64_t small = 16384;

// Selects in the lanes of a batch's slice, by one block a lane and by many, and expects the reference's ids.
void expect_reference(const batch& b, const std::vector<std::vector<float>>& scores, int k,
                      std::int64_t max_context, std::int64_t max_keys) {
  std::vector<float> all(static_cast<std::size_t>(b.lanes() * max_context), NAN);
  for (std::int32_t lane = 0; lane < b.lanes(); ++lane)
    std::ranges::copy(scores[lane], all.begin() + lane * max_context);
  const device_array device_scores(all);
  const device_array<std::int32_t> ids(static_cast<std::size_t>(b.lanes() * k));
  const device_array scratch(std::vector<std::byte>(select_topk_scratch_bytes(b.lanes(), max_context)));
  const int launches = max_keys > small ? 2 : 1;  // the second one finds the scratch as the first one left it
  for (int i = 0; i < launches; ++i) {
    check(select_topk({.lanes = b.slice(),
                       .scores = device_scores.data(),
                       .max_context = max_context,
                       .max_keys = max_keys,
                       .k = k,
                       .ids = ids.data(),
                       .scratch = scratch.data()},
                      nullptr));
  }
  const std::vector<std::int32_t> got = ids.values();
  for (std::int32_t lane = 0; lane < b.lanes(); ++lane) {
    const auto of_lane = part_of(got, static_cast<std::size_t>(k), static_cast<std::size_t>(lane));
    if (b.in_slice(lane)) {
      ASSERT_EQ(of_lane, reference::select_top_k(std::span(scores[lane]), k))
          << "k " << k << " of " << scores[lane].size();
    } else {
      ASSERT_TRUE(is_untouched(of_lane));
    }
  }
}

void expect_reference(const std::vector<float>& scores, int k) {
  const auto n = static_cast<token_id>(scores.size());
  const batch b{seats_at({n - 1}), 1, 0, 1};
  if (n <= small) expect_reference(b, {scores}, k, n, n);
  expect_reference(b, {scores}, k, std::max<std::int64_t>(n, small + 3),
                   std::max<std::int64_t>(n, small + 1));
}

TEST_F(cuda_select_topk, random_scores_of_all_sizes) {
  for (const std::size_t n : {1, 33, 4097, 16384, 20001}) {
    for (const int k : {31, 2048}) expect_reference(random_floats(n, 1), k);
  }
}

TEST_F(cuda_select_topk, lanes_of_a_slice_that_differ_in_length) {
  for (const std::int32_t queries : {1, 3}) {
    const batch b{seats_at({7, 16380, 0, 9000, 300, 12}), queries};
    std::vector<std::vector<float>> scores;
    for (std::int32_t lane = 0; lane < b.lanes(); ++lane) {
      scores.push_back(
          random_floats(static_cast<std::size_t>(b.position_of(lane)) + 1, static_cast<std::uint32_t>(lane)));
    }
    expect_reference(b, scores, 77, small, small);
    expect_reference(b, scores, 77, 30001, 17000);
  }
}

TEST_F(cuda_select_topk, ties_go_to_the_smaller_id) {
  const counter_rng rng(3, purpose::microbenchmark);
  for (const int values : {1, 5, 50}) {
    for (const std::size_t n : {40, 20000}) {
      std::vector<float> scores(n);
      for (std::size_t i = 0; i < n; ++i) scores[i] = static_cast<float>(rng.below(values, i)) - 2.0f;
      expect_reference(scores, 500);
    }
  }
}

TEST_F(cuda_select_topk, special_values) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  constexpr float inf = std::numeric_limits<float>::infinity();
  expect_reference({-0.0f, 0.0f, -1.0f, -0.0f, 0.0f}, 2);
  expect_reference({0.0f, -0.0f, -1.0f, 1.0f, 0.0f}, 3);
  expect_reference({nan, -inf, -nan, -1e38f, inf}, 3);
  expect_reference({-inf, nan, 1.0f}, 2);
  expect_reference(std::vector<float>(9000, nan), 100);
}

// Every exponent, subnormals, infinities and NaNs, as random bit patterns.
TEST_F(cuda_select_topk, any_bit_pattern) {
  const counter_rng rng(4, purpose::microbenchmark);
  for (const std::size_t n : {33, 9000, 18001}) {
    std::vector<float> scores(n);
    for (std::size_t i = 0; i < n; ++i)
      scores[i] = std::bit_cast<float>(static_cast<std::uint32_t>(rng.below(std::uint64_t{1} << 32, i)));
    for (const int k : {1, 2047}) expect_reference(scores, k);
  }
}

TEST_F(cuda_select_topk, scores_that_differ_in_their_last_bits_only) {
  std::vector<float> scores(20000);
  for (std::size_t i = 0; i < scores.size(); ++i)
    scores[i] = std::bit_cast<float>(0x3f800000u + static_cast<std::uint32_t>(i * 7919 % 1500));
  for (const int k : {1, 500, 2048}) expect_reference(scores, k);
}

}  // namespace
}  // namespace ess::ESS_CUDA::test
