#include "ess_core/device/cpu/kernels/row_quant.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ess_core/device/cpu/kernels/row_quant.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cassert>
#include <cstring>

#include "ess_core/device/cpu/kernels/codes-inl.h"
#include "ess_core/device/cpu/kernels/unpack-inl.h"
#include "ess_core/layout/rope.h"
#include "ess_core/layout/scale.h"

HWY_BEFORE_NAMESPACE();
namespace ess::cpu::HWY_NAMESPACE {

template <class DF>
HWY_INLINE float pack_tile(DF d, const float* values, std::uint8_t* codes) {
  const float scale =
      power_of_two_scale(largest_magnitude_of(d, values, latent_tile), latent_smallest_exponent);
  const auto factor = hn::Set(d, 1.0f / scale);
  for (int i = 0; i < latent_tile; i += static_cast<int>(hn::Lanes(d)))
    store_codes(d, hn::Mul(hn::LoadU(d, values + i), factor), codes + i);
  return scale;
}

void pack_row_simd(const pack_row_params& p) {
  const hn::ScalableTag<float> d;
  const latent_row_format format{p.kv_lora, p.rope};
  for (int tile = 0; tile < format.tiles(); ++tile) {
    const float scale = pack_tile(d, p.latent + tile * latent_tile, p.row + tile * latent_tile);
    std::memcpy(p.row + format.scale_offset() + 4 * tile, &scale, sizeof scale);
  }
  std::uint8_t* halves = p.row + format.rotary_offset();
  for (int i = 0; i < p.rope; i += static_cast<int>(hn::Lanes(d)))
    store_bf16(d, hn::LoadU(d, p.rotary + i), halves + 2 * i);
}

void unpack_row_simd(const unpack_row_params& p) {
  unpack(hn::ScalableTag<float>(), p.row, latent_row_format{p.kv_lora, p.rope}, p.latent, p.rotary);
}

}  // namespace ess::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ess::cpu {
namespace {
HWY_EXPORT(pack_row_simd);
HWY_EXPORT(unpack_row_simd);
}  // namespace

void pack_row(const pack_row_params& params) {
  assert(params.kv_lora % latent_tile == 0 && params.rope % 16 == 0);
  HWY_DYNAMIC_DISPATCH(pack_row_simd)(params);
}

void unpack_row(const unpack_row_params& params) {
  assert(params.kv_lora % latent_tile == 0 && params.rope % 16 == 0);
  HWY_DYNAMIC_DISPATCH(unpack_row_simd)(params);
}

// Scalar: 64 values a head and token are nothing beside the product that made them.
void rotate_pairs(float* values, const float* cos, const float* sin, int pairs) {
  const auto n = static_cast<std::size_t>(pairs);
  rotate_interleaved(std::span<float>(values, 2 * n), std::span<const float>(cos, n),
                     std::span<const float>(sin, n));
}

}  // namespace ess::cpu
#endif
