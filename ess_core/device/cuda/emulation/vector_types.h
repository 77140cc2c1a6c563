// CUDA's small vectors, as far as kernels use them.
#pragma once

#include <cstdint>

namespace ess::emulation {

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned vx = 1, unsigned vy = 1, unsigned vz = 1) : x(vx), y(vy), z(vz) {}
};
struct uint3 {
  unsigned x, y, z;
};

#define ESS_EMULATION_VECTORS(name, type)                                 \
  struct alignas(2 * sizeof(type)) name##2 {                              \
    type x, y;                                                            \
  };                                                                      \
  struct alignas(4 * sizeof(type) > 16 ? 16 : 4 * sizeof(type)) name##4 { \
    type x, y, z, w;                                                      \
  };                                                                      \
  constexpr name##2 make_##name##2(type x, type y) { return {x, y}; }     \
  constexpr name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }

ESS_EMULATION_VECTORS(uchar, unsigned char)
ESS_EMULATION_VECTORS(char, signed char)
ESS_EMULATION_VECTORS(ushort, unsigned short)
ESS_EMULATION_VECTORS(short, short)
ESS_EMULATION_VECTORS(uint, unsigned)
ESS_EMULATION_VECTORS(int, int)
ESS_EMULATION_VECTORS(float, float)
ESS_EMULATION_VECTORS(ulonglong, unsigned long long)
ESS_EMULATION_VECTORS(longlong, long long)
#undef ESS_EMULATION_VECTORS

struct float3 {
  float x, y, z;
};
constexpr uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
constexpr float3 make_float3(float x, float y, float z) { return {x, y, z}; }

}  // namespace ess::emulation
