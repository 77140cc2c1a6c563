// Weights in the order in which the kernel `linear` reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ess_core/device/cuda/platform.h"

namespace ess::ESS_CUDA {

enum class weight_format : std::uint8_t { bf16, e4m3 };

// A group of 32 columns of the product (rows of the matrix) comes after the other; n and k are padded with
// zeros to multiples of 32. In a group: [k / step][2 tiles of 16 columns][32 lanes][16 bytes], where a step
// is 16 bf16 or 32 e4m3 values of k and the 16 bytes are what a lane holds of A in mma m16n8k16 (of two of
// them for e4m3). Slot 2t + h of a fragment's k is element 4t + h, slot 2t + 8 + h is 4t + 2 + h, so that a
// lane's part of x is contiguous.
inline constexpr int linear_group = 32;
[[nodiscard]] __host__ __device__ constexpr int linear_padded(int size) { return (size + 31) / 32 * 32; }
[[nodiscard]] constexpr std::size_t packed_linear_bytes(weight_format format, int n, int k) {
  return static_cast<std::size_t>(linear_padded(n)) * static_cast<std::size_t>(linear_padded(k)) *
         (format == weight_format::bf16 ? 2 : 1);
}

// Power of two that brings the largest weight into e4m3's range; 1 for bf16.
[[nodiscard]] float linear_scale(std::span<const float> weights, weight_format format);

// weights: [n][k]; packed: packed_linear_bytes. Rounds weight / scale to nearest. Parts of a matrix that
// start at multiples of 32 rows may be packed on their own, by several threads.
void pack_linear(std::span<const float> weights, int n, int k, weight_format format, float scale,
                 std::span<std::uint8_t> packed);

}  // namespace ess::ESS_CUDA
