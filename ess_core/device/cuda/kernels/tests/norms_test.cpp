#include "ess_core/device/cuda/kernels/norms.h"

#include <cmath>

#include "ess_core/device/cpu/kernels/tests/test_data.h"
#include "ess_core/device/cuda/kernels/tests/batch.h"

namespace ess::ESS_CUDA::test {
namespace {

using cpu::test::random_floats;
using cpu::test::same_bits;
using cuda_norms = on_device;

std::vector<float> normed(const std::vector<float>& x, int rows, bool in_place) {
  const int n = static_cast<int>(x.size()) / rows;
  const std::size_t pitch = x.size() / static_cast<std::size_t>(rows) + 4;
  const device_array in(spread(x, static_cast<std::size_t>(n), pitch));
  const device_array<float> out(x.size());
  check(rms_norm({.x = in.data(),
                  .x_pitch = static_cast<std::int64_t>(pitch),
                  .out = in_place ? in.data() : out.data(),
                  .out_pitch = in_place ? static_cast<std::int64_t>(pitch) : n,
                  .rows = rows,
                  .n = n},
                 nullptr));
  const std::vector<float> got = in_place ? in.values() : out.values();
  std::vector<float> rows_of;
  for (int r = 0; r < rows; ++r) {
    const auto row = got.begin() + static_cast<std::ptrdiff_t>(r) * (in_place ? static_cast<int>(pitch) : n);
    rows_of.insert(rows_of.end(), row, row + n);
  }
  return rows_of;
}

TEST_F(cuda_norms, rms_norm_equals_the_formula) {
  for (const int n : {4, 128, 1536, 2052, 7168}) {
    const std::vector<float> x = random_floats(static_cast<std::size_t>(3 * n), 7, 3.0f);
    const std::vector<float> out = normed(x, 3, false);
    for (int row = 0; row < 3; ++row) {
      double squares = 0;
      for (int i = 0; i < n; ++i) squares += double{x[row * n + i]} * x[row * n + i];
      const double factor = 1 / std::sqrt(squares / n + 1e-6);
      for (int i = 0; i < n; ++i) ASSERT_NEAR(out[row * n + i], factor * x[row * n + i], 2e-6) << n;
    }
  }
}

TEST_F(cuda_norms, rms_norm_in_place_and_of_one_row_gives_the_same_bits) {
  const std::vector<float> x = random_floats(5 * 516, 8);
  const std::vector<float> out = normed(x, 5, false);
  EXPECT_TRUE(same_bits(normed(x, 5, true), out));
  for (std::size_t row = 0; row < 5; ++row) {
    EXPECT_TRUE(same_bits(normed(part_of(x, 516, row), 1, false), part_of(out, 516, row)));
  }
}

TEST_F(cuda_norms, silu_multiply_equals_the_formula_in_place_too) {
  constexpr int rows = 3, width = 1028, pitch = 2 * width + 8;
  std::vector<float> x = spread(random_floats(rows * 2 * width, 9, 4.0f), 2 * width, pitch);
  x[1] = 200.0f;
  x[2] = -200.0f;
  x[pitch + 5] = NAN;
  for (const bool in_place : {false, true}) {
    const device_array in(x);
    const device_array<float> apart(x.size());
    const device_array<float>& out = in_place ? in : apart;
    check(silu_multiply({.gate_up = in.data(),
                         .pitch = pitch,
                         .out = out.data(),
                         .out_pitch = pitch,
                         .rows = rows,
                         .width = width},
                        nullptr));
    const std::vector<float> got = out.values();
    for (int i = 0; i < rows * width; ++i) {
      const int at = i / width * pitch + i % width;
      const double gate = x[at], up = x[at + width];
      const double want = gate / (1 + std::exp(-gate)) * up;
      if (std::isnan(want)) {
        EXPECT_TRUE(std::isnan(got[at]));
      } else {
        ASSERT_NEAR(got[at], want, 5e-7 * (std::fabs(gate * up) + 1e-3)) << at;
      }
    }
  }
}

TEST_F(cuda_norms, add_rows_adds_at_pitches) {
  constexpr int rows = 2, n = 1036;
  const std::vector<float> x = random_floats(rows * n, 10), y = random_floats(rows * n, 11);
  const device_array a(spread(x, n, n + 12)), b(spread(y, n, n + 4));
  check(add_rows({.x = a.data(), .x_pitch = n + 12, .y = b.data(), .y_pitch = n + 4, .rows = rows, .n = n},
                 nullptr));
  const std::vector<float> got = b.values();
  for (int i = 0; i < rows * n; ++i) ASSERT_EQ(got[i / n * (n + 4) + i % n], x[i] + y[i]);
}

}  // namespace
}  // namespace ess::ESS_CUDA::test
