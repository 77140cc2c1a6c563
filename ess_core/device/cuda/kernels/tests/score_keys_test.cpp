#include "ess_core/device/cuda/kernels/score_keys.h"

#include <cmath>
#include <cstring>

#include "ess_core/device/cpu/kernels/tests/test_data.h"
#include "ess_core/device/cuda/kernels/tests/batch.h"
#include "ess_core/base/e4m3.h"
#include "ess_core/reference/indexer.h"

namespace ess::ESS_CUDA::test {
namespace {

using bytes = std::vector<std::uint8_t>;
using cpu::test::random_codes;
using cpu::test::random_floats;
using cuda_score_keys = on_device;

constexpr index_page_format format;
constexpr std::int64_t max_context = 640;
// Behind the last key of each the page holds NaN codes and scales.
const std::vector<token_id> positions = {5, 0, 63, 301, 600, 20};

double norm_of(std::span<const std::uint8_t> codes) {
  double sum = 0;
  for (const std::uint8_t code : codes) sum += double{e4m3_to_float(code)} * e4m3_to_float(code);
  return std::sqrt(sum);
}

struct scene {
  int heads;
  std::int32_t queries;
  batch b = {seats_at(positions, max_context), queries};
  bytes query = random_codes(static_cast<std::size_t>(b.lanes() * heads) * index_dim, 1);
  std::vector<float> weight = random_floats(static_cast<std::size_t>(b.lanes() * heads), 2);
  std::vector<bytes> seat_pages = random_seat_pages();

  [[nodiscard]] std::int64_t keys_of(std::size_t seat) const {
    return positions[seat] + std::int64_t{queries};
  }
  [[nodiscard]] std::vector<bytes> random_seat_pages() const {
    std::vector<bytes> pages;
    for (std::size_t seat = 0; seat < positions.size(); ++seat) {
      const bytes keys = cpu::test::random_pages(keys_of(seat), static_cast<std::uint32_t>(10 + 2 * seat));
      pages.emplace_back(keys.size(), 0xff);
      copy_keys(keys, pages.back(), keys_of(seat));
    }
    return pages;
  }
  static void copy_keys(const bytes& from, bytes& to, std::int64_t count) {
    bytes key(index_dim);
    for (std::int64_t token = 0; token < count; ++token) {
      const float scale = unpack_index_key(from, token, key);
      pack_index_key(key, scale, token, to);
    }
  }
  [[nodiscard]] bytes all_pages() const {
    bytes all(static_cast<std::size_t>(format.bytes_for(max_context)) * positions.size(), 0xff);
    for (std::size_t seat = 0; seat < positions.size(); ++seat) {
      const auto at = format.bytes_for(b.seats[seat].index_base);
      std::ranges::copy(seat_pages[seat], all.begin() + at);
    }
    return all;
  }
  [[nodiscard]] cudaError_t run(std::vector<float>& scores, score_path path = score_path::bf16,
                                std::int64_t max_keys = max_context) const {
    const device_array device_query(query);
    const device_array device_weight(weight);
    const device_array pages(all_pages());
    const device_array<float> out(static_cast<std::size_t>(b.lanes() * max_context));
    const cudaError_t e = score_keys({.lanes = b.slice(),
                                      .heads = heads,
                                      .query = device_query.data(),
                                      .weight = device_weight.data(),
                                      .pages = pages.data(),
                                      .scores = out.data(),
                                      .max_context = max_context,
                                      .max_keys = max_keys,
                                      .path = path},
                                     nullptr);
    scores = out.values();
    return e;
  }
  [[nodiscard]] std::vector<float> scores() const {
    std::vector<float> out;
    check(run(out));
    return out;
  }
  [[nodiscard]] bytes query_of(std::int32_t lane) const {
    return part_of(query, static_cast<std::size_t>(heads) * index_dim, static_cast<std::size_t>(lane));
  }
  [[nodiscard]] std::vector<float> weight_of(std::int32_t lane) const {
    return part_of(weight, static_cast<std::size_t>(heads), static_cast<std::size_t>(lane));
  }
};

std::vector<float> of_lane(const std::vector<float>& scores, std::int32_t lane) {
  return part_of(scores, max_context, static_cast<std::size_t>(lane));
}

// What rounding is relative to: key scale x sum over heads of |weight| |query| |key|.
double rounding_scale(const scene& s, std::int32_t lane, std::int64_t token) {
  bytes key(index_dim);
  const float scale = unpack_index_key(s.seat_pages[static_cast<std::size_t>(lane / s.queries)], token, key);
  const bytes query = s.query_of(lane);
  const std::vector<float> weight = s.weight_of(lane);
  double sum = 0;
  for (std::size_t h = 0; h < weight.size(); ++h) {
    sum += std::fabs(double{weight[h]}) * norm_of(std::span(query).subspan(h * index_dim, index_dim));
  }
  return std::fabs(scale) * sum * norm_of(key);
}

void expect_reference(const scene& s, const std::vector<float>& scores, double bound) {
  for (std::int32_t lane = 0; lane < s.b.lanes(); ++lane) {
    const std::vector<float> got = of_lane(scores, lane);
    const std::int64_t keys = s.b.in_slice(lane) ? s.b.position_of(lane) + std::int64_t{1} : 0;
    ASSERT_TRUE(is_untouched(std::vector<float>(got.begin() + keys, got.end()))) << lane;
    if (keys == 0) continue;
    const auto want = reference::score_paged_keys(
        s.query_of(lane), s.weight_of(lane), s.seat_pages[static_cast<std::size_t>(lane / s.queries)], keys);
    for (std::int64_t i = 0; i < keys; ++i) {
      ASSERT_NEAR(got[i], want.score[i], bound * rounding_scale(s, lane, i))
          << "key " << i << " of lane " << lane;
    }
  }
}

TEST_F(cuda_score_keys, equal_the_reference_up_to_rounding) {
  for (const auto& [heads, queries] : {std::pair{4, 1}, {8, 2}, {12, 3}, {64, 1}, {20, 4}}) {
    SCOPED_TRACE(heads);
    const scene s{heads, queries};
    expect_reference(s, s.scores(), 1e-6);
  }
}

TEST_F(cuda_score_keys, e4m3_products_are_near_where_there_are_any) {
  for (const auto& [heads, queries] : {std::pair{4, 2}, {24, 1}}) {
    const scene s{heads, queries};
    std::vector<float> scores;
    const cudaError_t e = s.run(scores, score_path::e4m3);
    if (e == cudaErrorNotSupported) GTEST_SKIP() << "no e4m3 products on this device";
    check(e);
    expect_reference(s, scores, 2e-3);
  }
}

TEST_F(cuda_score_keys, depend_neither_on_the_grid_nor_on_the_place_of_a_key) {
  const scene s{12, 2};
  const std::vector<float> all = s.scores();
  std::vector<float> by_larger_grid;
  check(s.run(by_larger_grid, score_path::bf16, 1'000'000));
  EXPECT_TRUE(cpu::test::same_bits(by_larger_grid, all));
  scene shifted{12, 2};  // by one key
  bytes& pages = shifted.seat_pages[3];
  bytes key(index_dim);
  for (std::int64_t token = 0; token + 1 < s.keys_of(3); ++token) {
    const float scale = unpack_index_key(s.seat_pages[3], token, key);
    pack_index_key(key, scale, token + 1, pages);
  }
  const std::vector<float> want = of_lane(all, 6), got = of_lane(shifted.scores(), 6);
  for (std::int64_t i = 1; i <= positions[3]; ++i) ASSERT_EQ(got[i], want[i - 1]) << i;
}

TEST_F(cuda_score_keys, a_nan_spoils_no_other_score) {
  scene s{4, 1};
  const std::vector<float> clean = s.scores();
  s.seat_pages[3][format.key_offset(70) + 99] = 0xff;
  s.seat_pages[3][format.key_offset(3)] = 0x7f;
  s.seat_pages[3][format.scale_offset(200) + 3] = 0xff;  // not a NaN yet
  s.seat_pages[3][format.scale_offset(200) + 2] = 0xff;
  s.query[static_cast<std::size_t>((2 * 4 + 3) * index_dim) + 127] = 0x7f;  // lane 2
  s.weight[4 * 4 + 1] = NAN;                                                // lane 4
  const std::vector<float> scores = s.scores();
  for (std::int32_t lane = 1; lane < 5; ++lane) {
    const std::vector<float> got = of_lane(scores, lane), want = of_lane(clean, lane);
    for (std::int64_t i = 0; i <= positions[lane]; ++i) {
      if (lane == 2 || lane == 4 || (lane == 3 && (i == 3 || i == 70 || i == 200))) {
        ASSERT_TRUE(std::isnan(got[i])) << lane << " " << i;
      } else {
        ASSERT_EQ(got[i], want[i]) << lane << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace ess::ESS_CUDA::test
