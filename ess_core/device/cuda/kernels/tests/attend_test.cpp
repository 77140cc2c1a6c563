#include "ess_core/device/cuda/kernels/attend.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "ess_core/base/random.h"
#include "ess_core/device/cpu/kernels/tests/test_data.h"
#include "ess_core/device/cuda/kernels/tests/device_memory.h"
#include "ess_core/reference/attention.h"

#ifdef ESSBENCH_CUDA_EMULATED
#include "ess_core/device/cuda/emulation/stand_in.h"
#endif

namespace ess::ESS_CUDA::test {
namespace {

using cpu::test::random_floats;
using cuda_attend = on_device;

constexpr int row_bytes = 656;
constexpr int latent = 512, width = 576;
constexpr float empty = std::numeric_limits<float>::infinity();

// The n-th of the random rows, made once.
const std::vector<std::uint8_t>& random_row(int n) {
  static std::map<int, std::vector<std::uint8_t>> rows;
  auto& row = rows[n];
  if (row.empty()) row = cpu::test::random_rows(1, {}, 5000 + static_cast<std::uint32_t>(n));
  return row;
}

// A batch of seats. Rows that nothing selects are NaN.
struct scene {
  int heads = 4, top_k = 37, queries = 1;
  std::vector<int> valid = {37};  // rows of each lane
  row_addressing addressing = row_addressing::by_location;
  row_part part = row_part::all;
  precision terms = precision::f32_like;
  int device_rows = 40;  // a seat's; locations beyond lie in staging
  std::uint32_t weight = 65536;
  int first_seat = 0;     // of the slice
  int first_content = 0;  // of the batch's rows and queries among the random ones
  float scale = 0.0625f;

  [[nodiscard]] int lanes() const { return static_cast<int>(valid.size()); }
  [[nodiscard]] int seats() const { return lanes() / queries; }
  // Whether the row at `rank` is to be attended, counts.
  [[nodiscard]] bool incoming(int rank) const { return rank % 3 == 1; }
  [[nodiscard]] bool counts(int rank) const {
    return addressing == row_addressing::by_token || part == row_part::all ||
           incoming(rank) == (part == row_part::incoming);
  }
  [[nodiscard]] int content(int lane, int rank) const { return (first_content + lane) * 10007 + rank; }
};

struct memory {
  std::vector<std::uint8_t> latents, staging;
  std::vector<seat_state> seats;
  std::vector<token_id> selected;
  std::vector<row_location> locations;
  std::vector<float> query;
};

// Lanes of a seat hold rows of their own, at places that share no order with the ranks.
memory lay_out(const scene& s) {
  const int held = static_cast<int>(std::int64_t{s.device_rows} * s.weight / 65536);
  const int a_seat = s.queries * s.top_k, staged = std::max(0, a_seat - held);
  memory m;
  m.latents.assign(static_cast<std::size_t>((s.seats() + 1) * s.device_rows * row_bytes), 0xff);
  m.staging.assign(static_cast<std::size_t>((s.seats() * staged + 5) * row_bytes), 0xff);
  m.selected.assign(static_cast<std::size_t>(s.lanes() * s.top_k), -1);
  m.locations.assign(m.selected.size(), no_location);
  for (int seat = 0; seat < s.seats(); ++seat)
    m.seats.push_back({.request = seat,
                       .device_base = (s.seats() - seat) * s.device_rows,
                       .device_rows = s.device_rows,
                       .staging_base = 5 + seat * staged});
  for (int lane = 0; lane < s.lanes(); ++lane) {
    const seat_state& seat = m.seats[static_cast<std::size_t>(lane / s.queries)];
    const auto query = random_floats(static_cast<std::size_t>(s.heads * width),
                                     100 + static_cast<std::uint32_t>(s.first_content + lane));
    m.query.insert(m.query.end(), query.begin(), query.end());
    for (int rank = 0; rank < s.valid[static_cast<std::size_t>(lane)]; ++rank) {
      const bool by_token = s.addressing == row_addressing::by_token;
      const int place =
          by_token ? lane % s.queries * s.top_k + rank : (lane % s.queries * s.top_k + rank) * 7919 % a_seat;
      const auto at = static_cast<std::size_t>(lane * s.top_k + rank);
      m.selected[at] = by_token ? place : 3 * rank;
      m.locations[at] = by_token ? no_location : place | (s.incoming(rank) ? incoming_flag : 0);
      if (!s.counts(rank)) continue;
      const std::int64_t base = seat.device_base * s.weight / 65536;
      std::uint8_t* to =
          place < held ? &m.latents[static_cast<std::size_t>((base + place) * row_bytes)]
                       : &m.staging[static_cast<std::size_t>((seat.staging_base + place - held) * row_bytes)];
      std::ranges::copy(random_row(s.content(lane, rank)), to);
    }
  }
  return m;
}

struct result {
  std::vector<float> out, lse;

  [[nodiscard]] std::vector<float> out_of(int lane, int heads) const {
    const auto size = static_cast<std::ptrdiff_t>(heads) * latent;
    return {out.begin() + lane * size, out.begin() + (lane + 1) * size};
  }
  [[nodiscard]] std::vector<float> lse_of(int lane, int heads) const {
    return {lse.begin() + lane * heads, lse.begin() + (lane + 1) * heads};
  }
};

result run(const scene& s, const memory& m) {
  const device_array latents(m.latents), staging(m.staging);
  const device_array seats(m.seats);
  const device_array selected(m.selected), locations(m.locations);
  const device_array query(m.query);
  const device_array<float> out(static_cast<std::size_t>(s.lanes() * s.heads * latent));
  const device_array<float> lse(static_cast<std::size_t>(s.lanes() * s.heads));
  attend_params p{.lanes = {.seats = seats.data(),
                            .first_seat = s.first_seat,
                            .seat_count = s.seats() - s.first_seat,
                            .queries = s.queries},
                  .rows = {.latents = latents.data(),
                           .staging = staging.data(),
                           .row_bytes = row_bytes,
                           .weight = s.weight},
                  .terms = s.terms,
                  .addressing = s.addressing,
                  .part = s.part,
                  .heads = s.heads,
                  .top_k = s.top_k,
                  .scale = s.scale,
                  .query = query.data(),
                  .selected = selected.data(),
                  .locations = locations.data(),
                  .out = out.data(),
                  .lse = lse.data(),
                  .scratch = nullptr};
  const device_array<std::uint8_t> scratch(attend_scratch_bytes(p));
  p.scratch = scratch.data();
  check(attend(p, nullptr));
  return {out.values(), lse.values()};
}

result run(const scene& s) { return run(s, lay_out(s)); }

reference::attention_part expected(const scene& s, const memory& m, int lane) {
  std::vector<std::uint8_t> rows;
  std::vector<std::int32_t> ids;
  for (int rank = 0; rank < s.valid[static_cast<std::size_t>(lane)]; ++rank) {
    if (!s.counts(rank)) continue;
    const auto& row = random_row(s.content(lane, rank));
    rows.insert(rows.end(), row.begin(), row.end());
    ids.push_back(static_cast<std::int32_t>(ids.size()));
  }
  const auto size = static_cast<std::size_t>(s.heads * width);
  return reference::attend_packed_rows(
      std::span(m.query).subspan(static_cast<std::size_t>(lane) * size, size), s.heads, {rows, {}}, ids,
      s.scale);
}

void expect_lane(const scene& s, const result& r, const reference::attention_part& e, int lane) {
  const bool exact = s.terms == precision::f32_like;
  const auto out = r.out_of(lane, s.heads);
  const auto lse = r.lse_of(lane, s.heads);
  double largest = 0, error = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    largest = std::max(largest, std::fabs(e.output[i]));
    error = std::max(error, std::isnan(out[i]) ? 1e30 : std::fabs(out[i] - e.output[i]));
  }
  EXPECT_LE(error, largest * (exact ? 2e-5 : 3e-2)) << "lane " << lane << ", largest " << largest;
  for (std::size_t h = 0; h < lse.size(); ++h) {
    if (std::isinf(e.lse[h])) {
      ASSERT_EQ(lse[h], empty) << "lane " << lane;
    } else {
      ASSERT_NEAR(lse[h], e.lse[h], (exact ? 5e-6 : 3e-3) * std::max(4.0, std::fabs(e.lse[h])))
          << "lane " << lane;
    }
  }
}

void expect_reference(const scene& s) {
  const memory m = lay_out(s);
  const result r = run(s, m);
  for (int lane = s.first_seat * s.queries; lane < s.lanes(); ++lane)
    expect_lane(s, r, expected(s, m, lane), lane);
}

TEST_F(cuda_attend, equals_the_reference) {
  for (const int heads : {1, 4, 16, 17, 33}) expect_reference({.heads = heads, .valid = {37}});
  for (const int rows : {1, 2, 31, 32, 33, 64, 65, 96, 129, 300})
    expect_reference({.top_k = 300, .valid = {rows}, .device_rows = 200});
}

TEST_F(cuda_attend, equals_the_reference_over_several_splits) {
  expect_reference({.heads = 3, .top_k = 1100, .valid = {1100, 1025, 1024, 513, 1, 0}, .device_rows = 1000});
}

// 32 heads a block.
TEST_F(cuda_attend, equals_the_reference_in_a_large_batch) {
  std::vector<int> valid(67, 0);
  for (std::size_t i = 0; i < valid.size(); i += 6) valid[i] = static_cast<int>(i) % 33;
  for (const precision terms : {precision::f32_like, precision::bf16})
    expect_reference({.heads = 19, .top_k = 70, .valid = valid, .terms = terms});
}

TEST_F(cuda_attend, attends_the_parts_it_is_told) {
  for (const row_part part : {row_part::resident, row_part::incoming, row_part::all})
    for (const int top_k : {37, 300})
      expect_reference(
          {.top_k = top_k, .queries = 2, .valid = {top_k, 1, 2, 20}, .part = part, .device_rows = 400});
}

TEST_F(cuda_attend, addresses_rows_by_token) {
  expect_reference({.top_k = 37,
                    .queries = 3,
                    .valid = {37, 5, 0, 1, 36, 37},
                    .addressing = row_addressing::by_token,
                    .part = row_part::incoming,
                    .device_rows = 120});
}

TEST_F(cuda_attend, layers_may_hold_a_part_of_the_pool) {
  expect_reference(
      {.top_k = 33, .queries = 2, .valid = {33, 20, 7, 33}, .device_rows = 48, .weight = 65536 / 4 * 3});
}

TEST_F(cuda_attend, works_on_a_slice) {
  const scene s{.queries = 2, .valid = {37, 3, 20, 0, 10, 37}, .first_seat = 1};
  expect_reference(s);
  const result r = run(s);
  for (int lane = 0; lane < 2; ++lane)
    for (const float x : r.out_of(lane, s.heads)) ASSERT_TRUE(std::isnan(x));
}

TEST_F(cuda_attend, one_term_is_coarser) {
  expect_reference({.heads = 5, .top_k = 100, .valid = {100, 64}, .terms = precision::bf16});
}

TEST_F(cuda_attend, no_valid_row_gives_zeros_and_infinity) {
  for (const int top_k : {37, 1200})
    for (const int valid : {0, 1}) {
      const result r =
          run({.top_k = top_k, .valid = {valid}, .part = row_part::incoming, .device_rows = 1200});
      for (const float x : r.out) ASSERT_EQ(x, 0.0f);
      for (const float x : r.lse) ASSERT_EQ(x, empty);
    }
}

// Logits of several hundred, of both signs.
TEST_F(cuda_attend, large_logits_do_not_overflow) {
  for (const float scale : {8.0f, -8.0f}) {
    const scene s{.top_k = 200, .valid = {200}, .device_rows = 200, .scale = scale};
    const memory m = lay_out(s);
    const result r = run(s, m);
    const auto e = expected(s, m, 0);
    for (std::size_t i = 0; i < r.out.size(); ++i) ASSERT_NEAR(r.out[i], e.output[i], 2e-3);
    for (std::size_t h = 0; h < r.lse.size(); ++h)
      ASSERT_NEAR(r.lse[h], e.lse[h], 5e-6 * std::fabs(e.lse[h]));
  }
}

TEST_F(cuda_attend, a_lane_is_the_same_alone_and_in_a_batch) {
  for (const auto& [heads, top_k] : {std::pair{4, 1060}, {40, 90}}) {
    std::vector<int> valid(static_cast<std::size_t>(heads == 4 ? 5 : 40), 0);
    valid[1] = top_k;
    valid[3] = 66;
    valid[4] = 1;
    const scene batch{.heads = heads, .top_k = top_k, .valid = valid, .device_rows = 77};
    const result together = run(batch);
    for (const int lane : {1, 3, 4}) {
      const scene alone{.heads = heads,
                        .top_k = top_k,
                        .valid = {valid[static_cast<std::size_t>(lane)]},
                        .device_rows = 500,
                        .first_content = lane};
      const result one = run(alone);
      EXPECT_TRUE(cpu::test::same_bits(one.out, together.out_of(lane, heads)))
          << heads << " " << top_k << " " << lane;
      EXPECT_TRUE(cpu::test::same_bits(one.lse, together.lse_of(lane, heads)))
          << heads << " " << top_k << " " << lane;
    }
  }
}

TEST_F(cuda_attend, a_nan_in_a_row_shows) {
  const scene s{.top_k = 70, .valid = {70, 70}, .device_rows = 70};
  const memory m = lay_out(s);
  const std::size_t row = static_cast<std::size_t>(m.seats[0].device_base + 60) * row_bytes;
  const auto poison = [&](std::size_t offset, std::uint8_t value) {
    memory bad = m;
    bad.latents[row + offset] = value;
    if (offset > 512) bad.latents[row + offset - 1] |= 0x80;
    const result r = run(s, bad);
    for (const float x : r.out_of(0, s.heads)) ASSERT_TRUE(std::isnan(x)) << offset;
    for (const float x : r.lse_of(0, s.heads)) ASSERT_TRUE(std::isnan(x)) << offset;
    for (const float x : r.out_of(1, s.heads)) ASSERT_FALSE(std::isnan(x)) << offset;
  };
  poison(300, 0x7f);  // a latent value
  poison(511, 0xff);
  poison(512 + 4 + 3, 0x7f);  // a scale: exponent 255
  poison(528 + 3, 0x7f);      // a rotary value
}

// Scales beyond 2^7 go another way.
TEST_F(cuda_attend, rows_with_large_scales) {
  scene s{.top_k = 40, .valid = {40}, .device_rows = 40, .scale = 1e-4f};
  memory m = lay_out(s);
  std::vector<std::uint8_t> rows;
  std::vector<std::int32_t> ids;
  for (int rank = 0; rank < 40; ++rank) {
    std::uint8_t* row =
        &m.latents[static_cast<std::size_t>(m.seats[0].device_base + rank * 7919 % 40) * row_bytes];
    const float scale = rank % 2 == 0 ? 512.0f : 0x1p-13f;
    std::memcpy(row + 512, &scale, sizeof scale);
    rows.insert(rows.end(), row, row + row_bytes);
    ids.push_back(rank);
  }
  expect_lane(s, run(s, m), reference::attend_packed_rows(m.query, s.heads, {rows, {}}, ids, s.scale), 0);
}

#ifdef ESSBENCH_CUDA_EMULATED
// As on sm_80.
TEST_F(cuda_attend, less_shared_memory_means_smaller_tiles) {
  emulation::stand_in_settings().shared_memory_optin = 163 * 1024;
  for (const precision terms : {precision::f32_like, precision::bf16})
    expect_reference({.heads = 35, .top_k = 100, .valid = {100, 64, 3, 0}, .terms = terms});
  emulation::reset();
}
#endif

TEST_F(cuda_attend, other_sizes_are_refused) {
  EXPECT_EQ(attend({.heads = 1, .kv_lora = 256}, nullptr), cudaErrorInvalidValue);
  EXPECT_EQ(attend({.heads = 1, .rope = 32}, nullptr), cudaErrorInvalidValue);
}

TEST(cuda_attend_work, counts_rows_queries_and_operations) {
  const kernel_work w = work_of(attend_params{
      .lanes = {.seats = nullptr, .first_seat = 2, .seat_count = 3, .queries = 2}, .heads = 8, .top_k = 100});
  EXPECT_EQ(w.bytes_read, 6 * 100 * (656 + 8) + 6 * 8 * 576 * 4);
  EXPECT_EQ(w.bytes_written, 6 * 8 * (512 + 1) * 4);
  EXPECT_EQ(w.operations, 2.0 * 6 * 8 * 100 * (576 + 512));
}

}  // namespace
}  // namespace ess::ESS_CUDA::test
