#include <cstring>

#include "ess_core/device/cpu/kernels/tests/test_data.h"
#include "ess_core/device/cuda/kernels/flash_gather.h"
#include "ess_core/device/cuda/kernels/flash_scatter.h"
#include "ess_core/device/cuda/kernels/tests/device_memory.h"

namespace ess::ESS_CUDA::test {
namespace {

using cpu::test::random_codes;

constexpr std::uint8_t untouched = 0xff;

// Page-locked host memory, full of a pattern by position.
class host_store {
 public:
  explicit host_store(std::size_t bytes) : size_(bytes) {
    check(cudaHostAlloc(reinterpret_cast<void**>(&data_), bytes, cudaHostAllocMapped));
    check(cudaHostGetDevicePointer(reinterpret_cast<void**>(&device_), data_, 0));
    const auto codes = random_codes(bytes, 3);
    std::memcpy(data_, codes.data(), bytes);
  }
  host_store(const host_store&) = delete;
  host_store& operator=(const host_store&) = delete;
  ~host_store() { (void)cudaFreeHost(data_); }
  [[nodiscard]] std::uint8_t* on_device() const { return device_; }
  [[nodiscard]] std::vector<std::uint8_t> row(std::int64_t at, std::int64_t bytes) const {
    check(cudaDeviceSynchronize());
    return {data_ + at, data_ + at + bytes};
  }

 private:
  std::uint8_t* data_ = nullptr;
  std::uint8_t* device_ = nullptr;
  std::size_t size_;
};

struct layout {
  std::int32_t row_bytes;
  std::int64_t pitch;
};

void PrintTo(const layout& l, std::ostream* out) { *out << l.row_bytes << " of " << l.pitch; }

class cuda_rows : public on_device, public testing::WithParamInterface<layout> {
 protected:
  static constexpr std::int32_t seats = 5;
  static constexpr std::int32_t slots = 40;   // a seat
  static constexpr std::int32_t staging = 8;  // a seat
  static constexpr std::int32_t host_tokens = 64;

  static std::vector<seat_state> states() {
    std::vector<seat_state> out;
    for (std::int32_t i = 0; i < seats; ++i) {
      out.push_back({.request = i,
                     .home = seats - 1 - i,
                     .position = 30 + i,
                     .new_tokens = 2,
                     .device_base = (seats - 1 - i) * slots,
                     .device_rows = slots,
                     .staging_base = i * staging,
                     .host_base = ((i + 2) % seats) * host_tokens});
    }
    return out;
  }

  static std::vector<std::uint8_t> slice(const std::vector<std::uint8_t>& all, std::int64_t row,
                                         std::int64_t bytes) {
    return {all.begin() + row * bytes, all.begin() + (row + 1) * bytes};
  }
};

TEST_P(cuda_rows, gather_brings_each_miss_to_its_place_and_nothing_else) {
  const layout l = GetParam();
  constexpr std::int64_t per_seat = 47;
  const auto all = states();
  const device_array seat_array(all);
  const device_array<std::uint8_t> latents(seats * slots * l.row_bytes), stage(seats * staging * l.row_bytes);
  const device_array counters{std::vector<row_counters>(seats)};
  const host_store host(static_cast<std::size_t>(seats * host_tokens * l.pitch));
  // Of very unequal numbers, none among them, and one seat outside the slice.
  const std::array<std::int32_t, seats> missed = {7, 0, 43, 1, 9};
  std::vector<std::uint8_t> records(seats * (per_seat + 1) * 8);
  const auto miss_of = [](std::int32_t seat, std::int32_t n) {
    return row_miss{(seat * 13 + n * 7) % host_tokens, (n * 5 + seat) % (slots + staging)};
  };
  for (std::int32_t i = 0; i < seats; ++i) {
    std::uint8_t* record = records.data() + i * (per_seat + 1) * 8;
    std::memcpy(record, &missed[i], 4);
    for (std::int32_t n = 0; n < missed[i]; ++n) {
      const row_miss m = miss_of(i, n);
      std::memcpy(record + 8 + n * 8, &m, 8);
    }
  }
  const device_array record_array(records);
  check(flash_gather({.lanes = {seat_array.data(), 1, 4, 1},
                      .rows = {latents.data(), stage.data(), l.row_bytes, 65536},
                      .from = {host.on_device(), l.pitch, true},
                      .misses = record_array.data(),
                      .misses_per_seat = per_seat,
                      .counters = counters.data(),
                      .blocks = 3},
                     nullptr));
  const auto in_pool = latents.values();
  const auto in_staging = stage.values();
  const auto counted = counters.values();
  std::vector<std::uint8_t> want_pool(in_pool.size(), untouched), want_staging(in_staging.size(), untouched);
  for (std::int32_t i = 0; i < seats; ++i) {
    EXPECT_EQ(counted[i].rows_in, i == 0 ? 0 : missed[i]);
    for (std::int32_t n = 0; n < missed[i] && i > 0; ++n) {
      const row_miss m = miss_of(i, n);
      const auto row = host.row((all[i].host_base + m.token) * l.pitch, l.row_bytes);
      auto& to = m.location < slots ? want_pool : want_staging;
      const std::int64_t at =
          m.location < slots ? all[i].device_base + m.location : all[i].staging_base + m.location - slots;
      std::copy(row.begin(), row.end(), to.begin() + at * l.row_bytes);
    }
  }
  EXPECT_EQ(in_pool, want_pool);
  EXPECT_EQ(in_staging, want_staging);
}

TEST_P(cuda_rows, gather_pool_fills_every_slot_in_use) {
  const layout l = GetParam();
  const auto all = states();
  const device_array seat_array(all);
  const device_array<std::uint8_t> latents(seats * slots * l.row_bytes);
  const device_array counters{std::vector<row_counters>(seats)};
  const host_store host(static_cast<std::size_t>(seats * host_tokens * l.pitch));
  std::vector<pool_header> headers(seats);
  std::vector<token_id> tokens(seats * slots, -1);
  for (std::int32_t i = 0; i < seats; ++i) {
    headers[all[i].home].used = static_cast<slot_id>(i * 9);
    for (std::int32_t s = 0; s < i * 9; ++s) tokens[all[i].device_base + s] = (s * 5 + i) % host_tokens;
  }
  const device_array header_array(headers);
  const device_array token_array(tokens);
  check(gather_pool({.lanes = {seat_array.data(), 0, seats, 1},
                     .rows = {latents.data(), nullptr, l.row_bytes, 65536},
                     .from = {host.on_device(), l.pitch, true},
                     .pools = {.headers = header_array.data(), .token_of = token_array.data()},
                     .counters = counters.data(),
                     .blocks = 2},
                    nullptr));
  const auto got = latents.values();
  for (std::int32_t i = 0; i < seats; ++i) {
    EXPECT_EQ(counters.values()[i].rows_in, i * 9);
    for (std::int32_t s = 0; s < slots; ++s) {
      const auto want =
          s < i * 9 ? host.row((all[i].host_base + tokens[all[i].device_base + s]) * l.pitch, l.row_bytes)
                    : std::vector<std::uint8_t>(l.row_bytes, untouched);
      ASSERT_EQ(slice(got, all[i].device_base + s, l.row_bytes), want) << i << " " << s;
    }
  }
}

TEST_P(cuda_rows, new_rows_go_to_pool_and_host_store) {
  const layout l = GetParam();
  constexpr std::int32_t queries = 2;
  const auto all = states();
  const device_array seat_array(all);
  const device_array<std::uint8_t> latents(seats * slots * l.row_bytes), stage(seats * staging * l.row_bytes);
  const device_array counters{std::vector<row_counters>(seats)};
  const host_store host(static_cast<std::size_t>(seats * host_tokens * l.pitch));
  const auto rows = random_codes(static_cast<std::size_t>(seats * queries * l.row_bytes), 9);
  const device_array row_array(rows);
  std::vector<pool_header> headers(seats);
  for (std::int32_t i = 0; i < seats; ++i) {
    headers[all[i].home].new_rows[0] = 3 * i;
    headers[all[i].home].new_rows[1] = slots + i;  // in staging
  }
  const device_array header_array(headers);
  const lane_slice lanes{seat_array.data(), 1, 3, queries};
  const auto before = host.row(0, seats * host_tokens * l.pitch);
  for (const auto addressing : {row_addressing::by_location, row_addressing::by_token}) {
    check(append_rows({.lanes = lanes,
                       .rows = {latents.data(), stage.data(), l.row_bytes, 65536},
                       .addressing = addressing,
                       .headers = header_array.data(),
                       .latent_new = row_array.data()},
                      nullptr));
  }
  check(flash_scatter({.lanes = lanes,
                       .latent_new = row_array.data(),
                       .row_bytes = l.row_bytes,
                       .host_rows = host.on_device(),
                       .pitch = l.pitch,
                       .counters = counters.data()},
                      nullptr));
  auto want_host = before;
  for (std::int32_t i = 1; i < 4; ++i) {
    EXPECT_EQ(counters.values()[i].rows_out, queries);
    EXPECT_EQ(slice(latents.values(), all[i].device_base + 3 * i, l.row_bytes),
              slice(rows, 2 * i, l.row_bytes));
    EXPECT_EQ(slice(stage.values(), all[i].staging_base + i, l.row_bytes),
              slice(rows, 2 * i + 1, l.row_bytes));
    for (std::int32_t q = 0; q < queries; ++q) {
      const auto row = slice(rows, 2 * i + q, l.row_bytes);
      EXPECT_EQ(slice(latents.values(), all[i].device_base + all[i].position + q, l.row_bytes), row);
      std::copy(row.begin(), row.end(),
                want_host.begin() + (all[i].host_base + all[i].position + q) * l.pitch);
    }
  }
  EXPECT_EQ(host.row(0, seats * host_tokens * l.pitch), want_host);
  EXPECT_EQ(counters.values()[0].rows_out, 0);
}

INSTANTIATE_TEST_SUITE_P(row_sizes, cuda_rows,
                         testing::Values(layout{656, 656}, layout{656, 704}, layout{1152, 1152},
                                         layout{16, 64}));

TEST(cuda_row_movement, work_and_bytes_in_flight) {
  EXPECT_EQ(work_of_gather(1000, 656).bytes_read, 656e3);
  EXPECT_EQ(work_of_scatter(7, 656).bytes_written, 7 * 656.0);
  EXPECT_EQ(gather_bytes_in_flight(16, 656), 16 * 8 * 2 * 656);
}

}  // namespace
}  // namespace ess::ESS_CUDA::test
