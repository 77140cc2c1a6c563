#include "ess_core/device/cpu/kernels/gemm.h"

#include <cmath>
#include <thread>

#include "ess_core/device/cpu/kernels/tests/test_data.h"

namespace ess::cpu {
namespace {

using test::random_floats;
using test::same_bits;

constexpr int most_rows = 64;

struct shape {
  int n, k;
};

std::string name_of(const testing::TestParamInfo<shape>& info) {
  return std::to_string(info.param.n) + "x" + std::to_string(info.param.k);
}

class gemm : public testing::TestWithParam<shape> {
 protected:
  int n = GetParam().n;
  int k = GetParam().k;
  std::vector<float> w = random_floats(static_cast<std::size_t>(n) * k, 1);
  std::vector<float> x = random_floats(static_cast<std::size_t>(most_rows) * k, 2);
  packed_matrix packed{w.data(), n, k};

  std::vector<float> product(int m) const {
    std::vector<float> y(static_cast<std::size_t>(m) * n, -1.0f);
    packed.run(m, x.data(), k, y.data(), n);
    return y;
  }
};

TEST_P(gemm, equals_the_sum_in_double) {
  const auto y = product(5);
  for (int row = 0; row < 5; ++row) {
    for (int column = 0; column < n; ++column) {
      double sum = 0, magnitude = 0;
      for (int i = 0; i < k; ++i) {
        const double term = double{x[row * k + i]} * w[static_cast<std::size_t>(column) * k + i];
        sum += term;
        magnitude += std::fabs(term);
      }
      ASSERT_NEAR(y[static_cast<std::size_t>(row) * n + column], sum, 1e-6 * magnitude)
          << row << " " << column;
    }
  }
}

TEST_P(gemm, a_row_does_not_depend_on_how_many_there_are) {
  const auto all = product(most_rows);
  for (int m = 1; m < most_rows; ++m)
    ASSERT_TRUE(same_bits(product(m), std::span(all).first(static_cast<std::size_t>(m) * n))) << m << " rows";
}

TEST_P(gemm, a_row_does_not_depend_on_its_place) {
  const auto all = product(most_rows);
  std::vector<float> y(static_cast<std::size_t>(n));
  for (const int row : {1, 7, 16, 33, 63}) {
    packed.run(1, x.data() + row * k, k, y.data(), n);
    ASSERT_TRUE(same_bits(y, std::span(all).subspan(static_cast<std::size_t>(row) * n, n))) << "row " << row;
  }
}

TEST_P(gemm, strides_change_nothing_and_gaps_stay_untouched) {
  constexpr int m = 7;
  const int ldx = k + 5, ldy = n + 3;
  std::vector<float> wide(static_cast<std::size_t>(m) * ldx, NAN);
  for (int row = 0; row < m; ++row) std::copy_n(&x[row * k], k, &wide[static_cast<std::size_t>(row) * ldx]);
  std::vector<float> y(static_cast<std::size_t>(m) * ldy, 12345.0f);
  packed.run(m, wide.data(), ldx, y.data(), ldy);
  const auto dense = product(m);
  for (int row = 0; row < m; ++row) {
    const auto line = std::span(y).subspan(static_cast<std::size_t>(row) * ldy, ldy);
    ASSERT_TRUE(same_bits(line.first(n), std::span(dense).subspan(static_cast<std::size_t>(row) * n, n)))
        << row;
    for (const float gap : line.subspan(n)) ASSERT_EQ(gap, 12345.0f) << row;
  }
}

TEST_P(gemm, panels_run_apart_and_at_once_give_the_same) {
  constexpr int m = 3;
  std::vector<float> y(static_cast<std::size_t>(m) * n);
  std::vector<std::thread> threads;
  for (int panel = 0; panel < packed.panels(); ++panel)
    threads.emplace_back([&, panel] { packed.run_panels(panel, 1, m, x.data(), k, y.data(), n); });
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(same_bits(y, product(m)));
}

TEST_P(gemm, packs_without_much_padding) {
  const auto plain = static_cast<std::int64_t>(w.size() * sizeof(float));
  EXPECT_GE(packed.bytes(), plain);
  EXPECT_LE(packed.bytes(), plain + (n + k + 64) * std::int64_t{64} * 4);  // up to whole blocks of 64
}

INSTANTIATE_TEST_SUITE_P(shapes, gemm,
                         testing::Values(shape{8192, 1024}, shape{1024, 4096}, shape{576, 1024},
                                         shape{384, 1024}, shape{2048, 384}, shape{1024, 384}, shape{8, 1024},
                                         shape{128, 1024}, shape{1024, 1024}, shape{512, 64}, shape{64, 512},
                                         shape{4, 128}, shape{32, 512}, shape{1, 3}, shape{257, 33}),
                         name_of);

TEST(gemm_basics, no_rows_and_no_columns_are_no_work) {
  const std::vector<float> w(16, 1.0f);
  packed_matrix packed(w.data(), 4, 4);
  packed.run(0, nullptr, 4, nullptr, 4);
  EXPECT_EQ(packed_matrix().bytes(), 0);
  EXPECT_EQ(packed_matrix().panels(), 0);
  const packed_matrix moved = std::move(packed);
  EXPECT_EQ(moved.n(), 4);
  EXPECT_EQ(moved.k(), 4);
}

TEST(gemm_basics, names_its_kernel_and_measures_a_rate) {
  EXPECT_THAT(gemm_kernel_name(), testing::HasSubstr("libxsmm 1."));
  EXPECT_GT(measure_gemm_gflops(), 0.1);
}

}  // namespace
}  // namespace ess::cpu
