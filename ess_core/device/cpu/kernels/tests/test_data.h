// Inputs for the tests of the kernels: reproducible numbers, packed rows and index pages of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "ess_core/base/random.h"
#include "ess_core/layout/index_key.h"
#include "ess_core/layout/latent_row.h"

namespace ess::cpu::test {

// Variance 1, times `factor`.
inline std::vector<float> random_floats(std::size_t n, std::uint32_t stream, float factor = 1.0f) {
  std::vector<float> values((n + 7) / 8 * 8);
  counter_rng(1, purpose::microbenchmark, stream).fill_unit_variance(values, 0);
  values.resize(n);
  for (float& value : values) value *= factor;
  return values;
}

// All codes occur, except for the NaNs.
inline std::vector<std::uint8_t> random_codes(std::size_t n, std::uint32_t stream) {
  const counter_rng rng(1, purpose::microbenchmark, stream);
  std::vector<std::uint8_t> codes(n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto value = static_cast<std::uint8_t>(rng.below(256, i));
    codes[i] = (value & 0x7f) == 0x7f ? 0 : value;
  }
  return codes;
}

// Whole pages for `tokens` keys; codes of all sizes, scales around 1.
inline std::vector<std::uint8_t> random_pages(std::int64_t tokens, std::uint32_t stream) {
  constexpr index_page_format format;
  const std::vector<std::uint8_t> keys = random_codes(static_cast<std::size_t>(tokens) * format.dim, stream);
  const std::vector<float> scales = random_floats(static_cast<std::size_t>(tokens), stream + 1);
  std::vector<std::uint8_t> pages(static_cast<std::size_t>(format.bytes_for(tokens)));
  for (std::int64_t t = 0; t < tokens; ++t)
    pack_index_key(std::span(keys).subspan(t * format.dim, format.dim), 0.5f + scales[t] * scales[t], t,
                   pages);
  return pages;
}

// n packed rows, one after the other.
inline std::vector<std::uint8_t> random_rows(std::int64_t n, latent_row_format format, std::uint32_t stream) {
  std::vector<std::uint8_t> rows(static_cast<std::size_t>(n * format.bytes()));
  for (std::int64_t i = 0; i < n; ++i) {
    const auto values = random_floats(static_cast<std::size_t>(format.kv_lora + format.rope),
                                      stream + static_cast<std::uint32_t>(i));
    pack_latent_row(std::span(values).first(format.kv_lora), std::span(values).subspan(format.kv_lora),
                    std::span(rows).subspan(i * format.bytes(), format.bytes()));
  }
  return rows;
}

// Aligned as the kernels want their scratch, and full of NaNs, so that what is read unwritten shows.
class scratch_memory {
 public:
  explicit scratch_memory(std::size_t bytes)
      : data_(static_cast<float*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)), &std::free) {
    std::fill_n(data_.get(), bytes / sizeof(float), NAN);
  }
  [[nodiscard]] void* data() const { return data_.get(); }

 private:
  std::unique_ptr<float, decltype(&std::free)> data_;
};

// Bit for bit: NaNs equal themselves, -0 differs from +0.
inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  if (a.empty() || b.empty()) return a.size() == b.size();
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

}  // namespace ess::cpu::test
