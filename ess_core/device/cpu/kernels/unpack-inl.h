// A packed latent row to f32. Included once for each SIMD target, hence the guard that toggles.
#if defined(ESS_CPU_KERNELS_UNPACK_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef ESS_CPU_KERNELS_UNPACK_INL
#undef ESS_CPU_KERNELS_UNPACK_INL
#else
#define ESS_CPU_KERNELS_UNPACK_INL
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "ess_core/device/cpu/kernels/codes-inl.h"
#include "ess_core/layout/latent_row.h"

HWY_BEFORE_NAMESPACE();
namespace ess::cpu::HWY_NAMESPACE {

// kv_lora and rope: multiples of 16.
template <class DF>
HWY_INLINE void unpack(DF d, const std::uint8_t* HWY_RESTRICT row, const latent_row_format& format,
                       float* HWY_RESTRICT latent, float* HWY_RESTRICT rotary) {
  const auto scale_of = [&](int tile) {
    float scale = 0;
    std::memcpy(&scale, row + format.scale_offset() + 4 * tile, sizeof scale);
    return scale;
  };
  const int whole = format.kv_lora / latent_tile;
  for (int tile = 0; tile < whole; ++tile)
    dequantise(d, row + tile * latent_tile, scale_of(tile), latent_tile, latent + tile * latent_tile);
  if (const int first = whole * latent_tile; first < format.kv_lora)
    dequantise(d, row + first, scale_of(whole), static_cast<std::size_t>(format.kv_lora - first),
               latent + first);
  const std::uint8_t* halves = row + format.rotary_offset();
  for (int i = 0; i < format.rope; i += static_cast<int>(hn::Lanes(d)))
    hn::StoreU(load_bf16(d, halves + 2 * i), d, rotary + i);
}

}  // namespace ess::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
