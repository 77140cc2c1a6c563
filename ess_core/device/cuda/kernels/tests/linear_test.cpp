#include "ess_core/device/cuda/kernels/linear.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "ess_core/device/cpu/kernels/tests/test_data.h"
#include "ess_core/device/cuda/kernels/tests/device_memory.h"
#include "ess_core/base/bf16.h"
#include "ess_core/base/e4m3.h"

namespace ess::ESS_CUDA::test {
namespace {

using cpu::test::random_floats;
using cuda_linear = on_device;

// Sizes of a product, and of the memory around x and y, which is NaN.
struct scene {
  int n, k, m;
  weight_format format = weight_format::bf16;
  precision terms = precision::f32_like;
  linear_output output = linear_output::assign;
  int batch = 1;
  int row_tiles = 0;
  int x_gap = 0, y_gap = 0;          // elements between rows
  std::vector<std::int32_t> starts;  // of experts
  int first_row = 0;                 // of the random rows of x, so that other m see the same

  [[nodiscard]] std::size_t ldx() const { return static_cast<std::size_t>(k + x_gap); }
  [[nodiscard]] std::size_t ldy() const { return static_cast<std::size_t>(n + y_gap); }
  [[nodiscard]] std::size_t rows() const {
    return static_cast<std::size_t>(starts.empty() ? m * batch : starts.back());
  }
  // The product that a row belongs to.
  [[nodiscard]] int product_of(std::size_t row) const {
    if (starts.empty()) return static_cast<int>(row) / m;
    const auto after = std::upper_bound(starts.begin(), starts.end(), static_cast<std::int32_t>(row));
    return static_cast<int>(after - starts.begin()) - 1;
  }
};

// Exact in the format, with every code of e4m3 but the NaNs.
std::vector<float> weights_of(const scene& s, int product) {
  const auto size = static_cast<std::size_t>(s.n) * static_cast<std::size_t>(s.k);
  const std::uint32_t stream = 100 + static_cast<std::uint32_t>(product);
  if (s.format == weight_format::bf16) {
    std::vector<float> weights = random_floats(size, stream);
    for (float& w : weights) w = round_to_bf16(w);
    return weights;
  }
  const auto codes = cpu::test::random_codes(size, stream);
  std::vector<float> weights(size);
  for (std::size_t i = 0; i < size; ++i) weights[i] = e4m3_to_float(codes[i]) * 0x1p-10f;
  weights[0] = 448 * 0x1p-10f;
  return weights;
}

std::vector<float> rows_of(const scene& s) {
  std::vector<float> x(s.rows() * s.ldx(), NAN);
  for (std::size_t row = 0; row < s.rows(); ++row) {
    const auto values =
        random_floats(static_cast<std::size_t>(s.k), 1000 + static_cast<std::uint32_t>(s.first_row + row));
    std::copy(values.begin(), values.end(), &x[row * s.ldx()]);
  }
  return x;
}

std::vector<float> outputs_before(const scene& s) {
  std::vector<float> y(s.rows() * s.ldy(), NAN);
  if (s.output == linear_output::assign) return y;
  for (std::size_t row = 0; row < s.rows(); ++row)
    for (int i = 0; i < s.n; ++i) y[row * s.ldy() + static_cast<std::size_t>(i)] = static_cast<float>(i % 7);
  return y;
}

struct packed {
  std::vector<std::uint8_t> bytes;
  std::vector<float> scales;
};

packed pack(const scene& s) {
  const std::size_t size = packed_linear_bytes(s.format, s.n, s.k);
  packed p{std::vector<std::uint8_t>(size * static_cast<std::size_t>(s.batch)), {}};
  for (int i = 0; i < s.batch; ++i) {
    const auto weights = weights_of(s, i);
    p.scales.push_back(linear_scale(weights, s.format));
    pack_linear(weights, s.n, s.k, s.format, p.scales.back(),
                std::span(p.bytes).subspan(static_cast<std::size_t>(i) * size, size));
  }
  return p;
}

linear_params params_of(const scene& s) {
  return {.weights = nullptr,
          .format = s.format,
          .output = s.output,
          .terms = s.terms,
          .n = s.n,
          .k = s.k,
          .m = s.m,
          .row_tiles = s.row_tiles,
          .x = nullptr,
          .ldx = static_cast<std::int64_t>(s.ldx()),
          .y = nullptr,
          .ldy = static_cast<std::int64_t>(s.ldy()),
          .batch = s.batch,
          .weights_stride = static_cast<std::int64_t>(packed_linear_bytes(s.format, s.n, s.k)),
          .x_stride = static_cast<std::int64_t>(s.ldx()) * s.m,
          .y_stride = static_cast<std::int64_t>(s.ldy()) * s.m};
}

std::vector<float> product(const scene& s) {
  const packed w = pack(s);
  const device_array weights(w.bytes);
  const device_array scales_memory(w.scales), x(rows_of(s)), y(outputs_before(s));
  const device_array starts(s.starts);
  linear_params p = params_of(s);
  const device_array<std::uint8_t> scratch(linear_scratch_bytes(p));
  if (scratch.size() > 0) check(cudaMemset(scratch.data(), 0, linear_counter_bytes));
  p.weights = weights.data();
  if (s.batch == 1) p.scale = w.scales[0];
  if (s.batch > 1) p.scales = scales_memory.data();
  p.x = x.data();
  p.y = y.data();
  p.scratch = scratch.data();
  if (!s.starts.empty()) p.starts = starts.data();
  check(linear(p, nullptr));
  const std::vector<float> once = y.values();
  if (s.output == linear_output::assign && s.row_tiles == 0) {  // the scratch serves again
    check(linear(p, nullptr));
    EXPECT_TRUE(cpu::test::same_bits(once, y.values()));
  }
  return once;
}

std::vector<double> expected_product(const scene& s) {
  const std::vector<float> x = rows_of(s), before = outputs_before(s);
  std::vector<double> y(s.rows() * s.ldy(), NAN);
  std::vector<float> weights;
  int of_product = -1;
  for (std::size_t row = 0; row < s.rows(); ++row) {
    if (s.product_of(row) != of_product) weights = weights_of(s, of_product = s.product_of(row));
    for (std::size_t i = 0; i < static_cast<std::size_t>(s.n); ++i) {
      double sum = s.output == linear_output::add ? before[row * s.ldy() + i] : 0;
      for (std::size_t j = 0; j < static_cast<std::size_t>(s.k); ++j)
        sum += double{weights[i * static_cast<std::size_t>(s.k) + j]} * x[row * s.ldx() + j];
      y[row * s.ldy() + i] = sum;
    }
  }
  return y;
}

void expect_product(const scene& s) {
  const std::vector<double> expected = expected_product(s);
  const std::vector<float> y = product(s);
  double largest = 0, error = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    ASSERT_EQ(std::isnan(y[i]), std::isnan(expected[i])) << "element " << i;
    if (std::isnan(y[i])) continue;
    largest = std::max(largest, std::fabs(expected[i]));
    error = std::max(error, std::fabs(y[i] - expected[i]));
  }
  EXPECT_LE(error, largest * (s.terms == precision::f32_like ? 5e-6 : 1e-2))
      << s.m << " x " << s.n << " x " << s.k << ", format " << static_cast<int>(s.format) << ", largest "
      << largest;
}

TEST_F(cuda_linear, equals_the_reference) {
  for (const weight_format format : {weight_format::bf16, weight_format::e4m3})
    for (const precision terms : {precision::f32_like, precision::bf16}) {
      expect_product({.n = 32, .k = 32, .m = 1, .format = format, .terms = terms});
      expect_product({.n = 40, .k = 96, .m = 5, .format = format, .terms = terms});
      expect_product({.n = 100, .k = 416, .m = 19, .format = format, .terms = terms});
      expect_product({.n = 33, .k = 224, .m = 70, .format = format, .terms = terms});
    }
}

TEST_F(cuda_linear, equals_the_reference_with_many_rows_a_pass) {
  for (const weight_format format : {weight_format::bf16, weight_format::e4m3})
    for (const int row_tiles : {2, 4, 8})
      for (const int m : {5 * row_tiles, 8 * row_tiles + 3})
        for (const int n : {40, 1030})
          expect_product({.n = n,
                          .k = n == 40 ? 416 : 96,
                          .m = m,
                          .format = format,
                          .output = linear_output::add,
                          .row_tiles = row_tiles});
}

TEST_F(cuda_linear, odd_sizes_and_strides) {
  for (const weight_format format : {weight_format::bf16, weight_format::e4m3})
    for (const int k : {1, 31, 50, 333}) {
      expect_product({.n = 7, .k = k, .m = 9, .format = format, .x_gap = 3, .y_gap = 5});
      expect_product(
          {.n = 65, .k = k, .m = 2, .format = format, .output = linear_output::add, .x_gap = 4 - k % 4});
    }
}

TEST_F(cuda_linear, long_sums_keep_their_precision) {
  expect_product({.n = 20, .k = 7168, .m = 3});
  expect_product({.n = 2, .k = 16384, .m = 2, .format = weight_format::e4m3});
}

// Of many products each sum is made by one block.
TEST_F(cuda_linear, sums_of_one_block_keep_their_precision) {
  scene s{.n = 2, .k = 2100, .m = 1, .batch = 133, .row_tiles = 1};
  expect_product(s);
  const std::vector<float> y = product(s);
  s.row_tiles = 4;
  EXPECT_TRUE(cpu::test::same_bits(y, product(s)));
}

#ifndef ESSBENCH_CUDA_EMULATED
TEST_F(cuda_linear, equals_the_reference_at_full_size) {
  for (const weight_format format : {weight_format::bf16, weight_format::e4m3}) {
    expect_product({.n = 1536, .k = 7168, .m = 35, .format = format});
    expect_product({.n = 576, .k = 7168, .m = 65, .format = format});
    expect_product({.n = 24576, .k = 1536, .m = 5, .format = format});
    expect_product({.n = 1030, .k = 1100, .m = 35, .format = format, .batch = 15, .row_tiles = 8});
  }
  expect_product({.n = 7168, .k = 16384, .m = 1, .format = weight_format::e4m3});
}
#endif

TEST_F(cuda_linear, batches_of_products) {
  expect_product({.n = 96, .k = 64, .m = 3, .batch = 5});
  expect_product(
      {.n = 48, .k = 200, .m = 17, .format = weight_format::e4m3, .batch = 4, .x_gap = 1, .y_gap = 2});
}

TEST_F(cuda_linear, experts_take_their_rows) {
  for (const weight_format format : {weight_format::bf16, weight_format::e4m3}) {
    expect_product({.n = 70, .k = 96, .m = 40, .format = format, .batch = 5, .starts = {0, 0, 9, 9, 40, 41}});
    expect_product({.n = 70, .k = 256, .m = 100, .format = format, .batch = 3, .starts = {0, 80, 80, 81}});
    expect_product({.n = 1030,
                    .k = 64,
                    .m = 40,
                    .format = format,
                    .batch = 3,
                    .row_tiles = 8,
                    .starts = {0, 33, 33, 40}});
  }
}

std::vector<float> row_of(const std::vector<float>& y, const scene& s, int row) {
  const auto first = y.begin() + row * static_cast<std::ptrdiff_t>(s.ldy());
  return {first, first + s.n};
}

TEST_F(cuda_linear, a_row_does_not_depend_on_its_neighbours) {
  for (const weight_format format : {weight_format::bf16, weight_format::e4m3}) {
    const scene all{.n = 40, .k = 700, .m = 20, .format = format};
    const std::vector<float> y = product(all);
    for (const int m : {1, 9})
      for (const int first : {1, 20 - m}) {
        const scene some{.n = 40, .k = 700, .m = m, .format = format, .x_gap = m % 5, .first_row = first};
        const std::vector<float> part = product(some);
        for (int row = 0; row < m; ++row)
          ASSERT_TRUE(cpu::test::same_bits(row_of(y, all, row + first), row_of(part, some, row)))
              << m << ", " << row;
      }
  }
}

TEST_F(cuda_linear, a_row_does_not_depend_on_how_many_a_pass_takes) {
  for (const weight_format format : {weight_format::bf16, weight_format::e4m3})
    for (const int n : {40, 1030}) {
      scene s{.n = n, .k = n == 40 ? 700 : 200, .m = 27, .format = format, .row_tiles = 1};
      const std::vector<float> y = product(s);
      for (s.row_tiles = 2; s.row_tiles <= 8; s.row_tiles *= 2)
        EXPECT_TRUE(cpu::test::same_bits(y, product(s))) << n << ", " << s.row_tiles;
    }
}

TEST_F(cuda_linear, an_experts_row_does_not_depend_on_the_others) {
  scene s{.n = 50, .k = 640, .m = 30, .batch = 3, .starts = {0, 0, 3, 3}};
  const std::vector<float> few = product(s);
  s.starts = {0, 0, 30, 90};
  s.m = 60;
  const std::vector<float> many = product(s);
  for (int row = 0; row < 3; ++row)
    EXPECT_TRUE(cpu::test::same_bits(row_of(few, s, row), row_of(many, s, row))) << row;
}

TEST_F(cuda_linear, a_nan_stays_in_its_row) {
  const scene s{.n = 40, .k = 64, .m = 3};
  std::vector<float> x = rows_of(s);
  x[64 + 50] = NAN;
  const packed w = pack(s);
  const device_array weights(w.bytes);
  const device_array x_memory(x);
  const device_array<float> y(3 * 40);
  linear_params p = params_of(s);
  p.weights = weights.data();
  p.x = x_memory.data();
  p.y = y.data();
  check(linear(p, nullptr));
  const auto out = y.values();
  for (std::size_t i = 0; i < out.size(); ++i) ASSERT_EQ(std::isnan(out[i]), i / 40 == 1) << i;
}

TEST(cuda_linear_pack, parts_of_32_rows_may_be_packed_alone) {
  const int n = 70, k = 40;
  const std::vector<float> weights = random_floats(70 * 40, 1);
  for (const weight_format format : {weight_format::bf16, weight_format::e4m3}) {
    const float scale = linear_scale(weights, format);
    std::vector<std::uint8_t> whole(packed_linear_bytes(format, n, k)), parts(whole.size());
    pack_linear(weights, n, k, format, scale, whole);
    for (int row = 0; row < n; row += linear_group) {
      const int rows = std::min(linear_group, n - row);
      const std::size_t size = packed_linear_bytes(format, rows, k);
      pack_linear(
          std::span(weights).subspan(static_cast<std::size_t>(row * k), static_cast<std::size_t>(rows * k)),
          rows, k, format, scale,
          std::span(parts).subspan(static_cast<std::size_t>(row / linear_group) * size, size));
    }
    EXPECT_EQ(whole, parts);
  }
}

TEST(cuda_linear_work, counts_inputs_outputs_and_operations) {
  linear_params p = params_of({.n = 64, .k = 128, .m = 3, .batch = 2});
  kernel_work w = work_of(p);
  EXPECT_EQ(w.bytes_read, 2 * (64 * 128 * 2 + 3 * 128 * 4));
  EXPECT_EQ(w.bytes_written, 2 * 3 * 64 * 4);
  EXPECT_EQ(w.operations, 2 * 2 * 3 * 64 * 128);
  p.format = weight_format::e4m3;
  p.output = linear_output::add;
  w = work_of(p, 5, 1);
  EXPECT_EQ(w.bytes_read, 64 * 128 + 5 * 128 * 4 + 5 * 64 * 4);
  EXPECT_EQ(w.bytes_written, 5 * 64 * 4);
}

}  // namespace
}  // namespace ess::ESS_CUDA::test
