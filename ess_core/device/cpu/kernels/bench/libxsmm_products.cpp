// libxsmm generates kernels for blocks; the order of blocks is ours, and the fastest of those that were tried
// (docs/kernels.md).
#include <fmt/format.h>
#include <libxsmm.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "ess_core/device/cpu/kernels/bench/two_products.h"
#include "ess_core/device/cpu/kernels/gemm.h"

namespace ess::cpu::bench {
namespace {

constexpr int query_heads = 32;  // of one packed tile of queries
constexpr int query_rows = 32;   // that are multiplied with it at once
constexpr int output_columns = 64;
constexpr int output_heads = 64;
constexpr int output_rows = 256;  // summed at once

// Column-major, as libxsmm has it.
libxsmm_smmfunction kernel(int m, int n, int k, int lda, int ldb, int ldc, float beta) {
  const float alpha = 1;
  const int flags = LIBXSMM_GEMM_FLAG_NONE, prefetch = LIBXSMM_GEMM_PREFETCH_NONE;
  const auto generated = libxsmm_smmdispatch(m, n, k, &lda, &ldb, &ldc, &alpha, &beta, &flags, &prefetch);
  if (generated == nullptr) throw std::runtime_error("libxsmm generates no kernel");
  return generated;
}

class libxsmm_products final : public two_products {
 public:
  explicit libxsmm_products(attention_sizes sizes)
      : sizes_(sizes),
        query_(static_cast<std::size_t>(sizes.heads) * sizes.width()),
        tile_(static_cast<std::size_t>(query_rows) * query_heads),
        multiply_query_(
            kernel(query_heads, query_rows, sizes.width(), query_heads, sizes.width(), query_heads, 0)),
        first_output_(
            kernel(output_columns, output_heads, output_rows, sizes.width(), sizes.rows, sizes.kv_lora, 0)),
        next_output_(
            kernel(output_columns, output_heads, output_rows, sizes.width(), sizes.rows, sizes.kv_lora, 1)) {
    if (sizes.heads % output_heads != 0 || sizes.rows % output_rows != 0 ||
        sizes.kv_lora % output_columns != 0)
      throw std::invalid_argument("libxsmm_products: no blocks for these sizes");
  }

  std::string library() const override { return gemm_kernel_name(); }

  void multiply_query(const float* query, const float* rows, float* logits) override {
    pack(query);
    for (int r = 0; r < sizes_.rows; r += query_rows)
      for (int h = 0; h < sizes_.heads; h += query_heads) {
        multiply_query_(&query_[static_cast<std::size_t>(h) * sizes_.width()],
                        rows + static_cast<std::size_t>(r) * sizes_.width(), tile_.data());
        for (int i = 0; i < query_heads; ++i)
          for (int j = 0; j < query_rows; ++j)
            logits[static_cast<std::size_t>(h + i) * sizes_.rows + r + j] = tile_[j * query_heads + i];
      }
  }

  void multiply_weights(const float* weights, const float* rows, float* out) override {
    for (int r = 0; r < sizes_.rows; r += output_rows)
      for (int c = 0; c < sizes_.kv_lora; c += output_columns)
        for (int h = 0; h < sizes_.heads; h += output_heads)
          (r == 0 ? first_output_ : next_output_)(rows + static_cast<std::size_t>(r) * sizes_.width() + c,
                                                  weights + static_cast<std::size_t>(h) * sizes_.rows + r,
                                                  out + static_cast<std::size_t>(h) * sizes_.kv_lora + c);
  }

 private:
  // [heads][width] -> tiles of [width][query_heads].
  void pack(const float* query) {
    const auto width = static_cast<std::size_t>(sizes_.width());
    for (int h = 0; h < sizes_.heads; ++h)
      for (std::size_t i = 0; i < width; ++i)
        query_[h / query_heads * query_heads * width + i * query_heads + h % query_heads] =
            query[h * width + i];
  }

  attention_sizes sizes_;
  std::vector<float> query_, tile_;
  libxsmm_smmfunction multiply_query_, first_output_, next_output_;
};

}  // namespace

std::unique_ptr<two_products> products_of_libxsmm(attention_sizes sizes) {
  return std::make_unique<libxsmm_products>(sizes);
}

}  // namespace ess::cpu::bench
