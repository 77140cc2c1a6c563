#include "ess_core/device/cpu/kernels/gemm.h"

#include <fmt/format.h>
#include <libxsmm.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "ess_core/device/cpu/kernels/huge_pages.h"

namespace ess::cpu {
namespace {

// Columns that one generated kernel covers: two vectors of AVX-512. Then each sum has one accumulator, which
// runs over k in order, in the kernels for every number of rows; narrower ones for AVX-512 may split a sum.
constexpr int tile_columns = 32;
static_assert(gemm_panel_columns % tile_columns == 0);

// Column-major, as libxsmm has it: y^T [columns][m] = w [columns][k] * x^T [k][m]. While it works on one tile
// of weights it brings another into the second-level cache: without that, a core waits for memory as long as
// it computes.
libxsmm_smmfunction kernel_for(int m, int k, std::int64_t ldx, std::int64_t ldy) {
  const libxsmm_blasint lda = tile_columns;
  const auto ldb = static_cast<libxsmm_blasint>(ldx), ldc = static_cast<libxsmm_blasint>(ldy);
  const float alpha = 1, beta = 0;
  const int flags = LIBXSMM_GEMM_FLAG_NONE, prefetch = LIBXSMM_GEMM_PREFETCH_AL2;
  const auto kernel =
      libxsmm_smmdispatch(tile_columns, m, k, &lda, &ldb, &ldc, &alpha, &beta, &flags, &prefetch);
  if (kernel == nullptr) {
    throw gemm_error(fmt::format("libxsmm generates no kernel for {} x {} by {} on {}", m, tile_columns, k,
                                 libxsmm_get_target_arch()));
  }
  return kernel;
}

int tiles_of(int columns) { return (columns + tile_columns - 1) / tile_columns; }

// weights: [columns][k] -> [k][tile_columns], filled up with zeros.
void pack_tile(const float* weights, int columns, int k, float* tile) {
  for (int i = 0; i < k; ++i) {
    float* row = tile + std::int64_t{i} * tile_columns;
    for (int c = 0; c < tile_columns; ++c) row[c] = c < columns ? weights[std::int64_t{c} * k + i] : 0.0f;
  }
}

}  // namespace

struct packed_matrix::state {
  int n = 0;
  int k = 0;
  huge_bytes weights;  // [tiles][k][tile_columns]

  [[nodiscard]] float* tile(int i) const {
    return reinterpret_cast<float*>(weights.get()) + std::int64_t{i} * k * tile_columns;
  }
  // The last tile of a matrix whose n is not a whole number of tiles.
  void run_partial(const float* tile, int columns, int m, const float* x, std::int64_t ldx, float* y,
                   std::int64_t ldy) const {
    const auto kernel = kernel_for(1, k, ldx, tile_columns);
    for (int row = 0; row < m; ++row) {
      std::array<float, tile_columns> sums;
      kernel(tile, x + row * ldx, sums.data(), tile, nullptr, nullptr);
      std::copy_n(sums.data(), columns, y + row * ldy);
    }
  }
};

packed_matrix::packed_matrix(const float* weights, int n, int k) : state_(std::make_unique<state>()) {
  kernel_for(1, k, k, tile_columns);  // to fail here, and not in the middle of a step
  state_->n = n;
  state_->k = k;
  state_->weights = allocate_huge(static_cast<std::size_t>(bytes()));
  for (int i = 0; i < tiles_of(n); ++i) {
    const int column = i * tile_columns;
    pack_tile(weights + std::int64_t{column} * k, std::min(tile_columns, n - column), k, state_->tile(i));
  }
}

packed_matrix::packed_matrix() = default;
packed_matrix::packed_matrix(packed_matrix&&) noexcept = default;
packed_matrix& packed_matrix::operator=(packed_matrix&&) noexcept = default;
packed_matrix::~packed_matrix() = default;

int packed_matrix::n() const { return state_ ? state_->n : 0; }
int packed_matrix::k() const { return state_ ? state_->k : 0; }
int packed_matrix::panels() const { return (n() + gemm_panel_columns - 1) / gemm_panel_columns; }

std::int64_t packed_matrix::bytes() const {
  return std::int64_t{tiles_of(n())} * tile_columns * k() * static_cast<std::int64_t>(sizeof(float));
}

void packed_matrix::run(int m, const float* x, std::int64_t ldx, float* y, std::int64_t ldy) const {
  run_panels(0, panels(), m, x, ldx, y, ldy);
}

void packed_matrix::run_panels(int first, int count, int m, const float* x, std::int64_t ldx, float* y,
                               std::int64_t ldy) const {
  if (m == 0 || count == 0) return;
  const int end = std::min(n(), (first + count) * gemm_panel_columns);
  const int whole = end / tile_columns;
  if (const int begin = first * gemm_panel_columns / tile_columns; begin < whole) {
    const auto kernel = kernel_for(m, k(), ldx, ldy);
    for (int i = begin; i < whole; ++i) {
      const float* next = state_->tile(std::min(i + 1, whole - 1));
      kernel(state_->tile(i), x, y + i * tile_columns, next, nullptr, nullptr);
    }
  }
  if (const int rest = end % tile_columns; rest != 0) {
    state_->run_partial(state_->tile(whole), rest, m, x, ldx, y + whole * tile_columns, ldy);
  }
}

std::string gemm_kernel_name() {
  return fmt::format("libxsmm {} {}", LIBXSMM_CONFIG_VERSION, libxsmm_get_target_arch());
}

double measure_gemm_gflops() {
  using clock = std::chrono::steady_clock;
  constexpr int m = 64, n = 1024, k = 1024;
  const std::vector<float> weights(static_cast<std::size_t>(n) * k, 0.5f);
  const std::vector<float> x(static_cast<std::size_t>(m) * k, 0.25f);
  std::vector<float> y(static_cast<std::size_t>(m) * n);
  const packed_matrix matrix_of_ones(weights.data(), n, k);
  double best = 0;
  matrix_of_ones.run(m, x.data(), k, y.data(), n);
  for (const auto end = clock::now() + std::chrono::milliseconds(40); clock::now() < end;) {
    const auto start = clock::now();
    matrix_of_ones.run(m, x.data(), k, y.data(), n);
    const std::chrono::duration<double, std::nano> elapsed = clock::now() - start;
    best = std::max(best, 2.0 * m * n * k / elapsed.count());
  }
  return best;
}

}  // namespace ess::cpu
