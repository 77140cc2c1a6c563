// Products with weights that were packed once: y = x W^T in f32. A row of y depends on its row of x and on W
// only, bit for bit: not on how many rows there are, nor on how the columns are spread over threads.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

namespace ess::cpu {

// The GEMM library generates no code here, or not for the shape.
class gemm_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Columns of y that one panel covers; the last panel of a matrix may be narrower.
inline constexpr int gemm_panel_columns = 256;

// Weights in the blocked form of the kernels, in panels of output columns. Runs may overlap in time.
class packed_matrix {
 public:
  packed_matrix();                                    // no columns
  packed_matrix(const float* weights, int n, int k);  // weights: [n][k]; may be freed afterwards
  packed_matrix(packed_matrix&&) noexcept;
  packed_matrix& operator=(packed_matrix&&) noexcept;
  ~packed_matrix();

  [[nodiscard]] int n() const;
  [[nodiscard]] int k() const;
  [[nodiscard]] int panels() const;
  [[nodiscard]] std::int64_t bytes() const;  // of packed weights

  // x: [m][k] with rows ldx >= k apart; y: [m][n] with rows ldy >= n apart. m >= 0.
  void run(int m, const float* x, std::int64_t ldx, float* y, std::int64_t ldy) const;
  // The same for the columns of panels [first, first + count) only; x and y as above, of the whole product.
  void run_panels(int first, int count, int m, const float* x, std::int64_t ldx, float* y,
                  std::int64_t ldy) const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

// Library, version and the instruction set that it generates code for: "libxsmm 1.17 hsw".
[[nodiscard]] std::string gemm_kernel_name();
// What one thread reaches on a product of 64 rows with 1,024 x 1,024 weights; takes about 50 ms.
[[nodiscard]] double measure_gemm_gflops();

}  // namespace ess::cpu
