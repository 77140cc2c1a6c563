// Pages of index keys (layout/index_key.h), as kernels address them.
#pragma once

#include "ess_core/device/cuda/platform.h"
#include "ess_core/layout/index_key.h"

namespace ess::ESS_CUDA {

inline constexpr int index_dim = 128;
inline constexpr int index_key_bytes = index_dim + 4;
inline constexpr int index_page_bytes = static_cast<int>(index_page_format{.dim = index_dim}.page_bytes());
inline constexpr int index_scales_at = static_cast<int>(index_page_format{.dim = index_dim}.scale_offset(0));

// First page of an extent that begins at token `base`, a multiple of 64.
template <class Byte>
[[nodiscard]] __device__ Byte* pages_from(Byte* pages, std::int64_t base) {
  return pages + base / index_page_tokens * index_page_bytes;
}
template <class Byte>
[[nodiscard]] __device__ Byte* key_at(Byte* pages, std::int64_t token) {
  return pages_from(pages, token) + token % index_page_tokens * index_dim;
}
template <class Byte>
[[nodiscard]] __device__ Byte* scale_at(Byte* pages, std::int64_t token) {
  return pages_from(pages, token) + index_scales_at + token % index_page_tokens * 4;
}

}  // namespace ess::ESS_CUDA
