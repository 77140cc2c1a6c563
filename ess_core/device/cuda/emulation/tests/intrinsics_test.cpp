#include <cmath>

#include "ess_core/device/cuda/emulation/tests/support.h"

namespace ess::emulation::test {
namespace {

using intrinsics = stand_in;

void atomics_kernel(ints p) {
  const int me = static_cast<int>(threadIdx.x);
  atomicAdd(&p.out[0], me);
  atomicSub(&p.out[1], 1);
  atomicMin(&p.out[2], -me);
  atomicMax(&p.out[3], me);
  atomicAnd(&p.out[4], ~(1 << me % 8));
  atomicOr(&p.out[5], 1 << me % 8);
  atomicXor(&p.out[6], 1 << me % 8);
  if (atomicCAS(&p.out[7], 0, me + 1) == 0) atomicAdd(&p.out[8], 1);
  if (atomicExch(&p.out[9], 1) == 0) atomicAdd(&p.out[10], 1);
  atomicAdd(reinterpret_cast<float*>(&p.out[11]), 0.5f);
  atomicAdd(reinterpret_cast<unsigned long long*>(&p.out[12]), 1ull << 31);
  atomicInc(reinterpret_cast<unsigned*>(&p.out[14]), 9u);
}

TEST_F(intrinsics, atomics) {
  for (const int workers : {1, 2}) {
    stand_in_settings().workers = workers;
    std::vector<int> start(16);
    start[4] = -1;
    const device_array<int> out(start);
    ASSERT_EQ(run(atomics_kernel, 3, 100, {out.data()}), cudaSuccess);
    const auto v = out.values();
    EXPECT_EQ(v[0], 3 * 4950);
    EXPECT_EQ(v[1], -300);
    EXPECT_EQ(v[2], -99);
    EXPECT_EQ(v[3], 99);
    EXPECT_EQ(v[4], ~255);
    EXPECT_EQ(v[5], 255);
    EXPECT_EQ(v[6], 0xf);  // 39 times each of the first four, 36 times the others
    EXPECT_EQ(v[8], 1);
    EXPECT_EQ(v[10], 1);
    EXPECT_EQ(__int_as_float(v[11]), 150.0f);
    EXPECT_EQ(v[13], 150);
    EXPECT_EQ(v[14], 0);
  }
}

TEST_F(intrinsics, bits) {
  EXPECT_EQ(__popc(0xf0f0u), 8);
  EXPECT_EQ(__ffs(0), 0);
  EXPECT_EQ(__ffs(8), 4);
  EXPECT_EQ(__clz(0), 32);
  EXPECT_EQ(__clz(1), 31);
  EXPECT_EQ(__clzll(1), 63);
  EXPECT_EQ(__brev(1u), 0x80000000u);
  EXPECT_EQ(__byte_perm(0x33221100u, 0x77665544u, 0x7142u), 0x77114422u);
  EXPECT_EQ(__byte_perm(0x80u, 0, 0x8888u), 0xffffffffu);
  EXPECT_EQ(__funnelshift_l(0x80000000u, 1u, 1), 3u);
  EXPECT_EQ(__funnelshift_r(2u, 1u, 1), 0x80000001u);
  EXPECT_EQ(__umulhi(0x80000000u, 6u), 3u);
  EXPECT_EQ(__mulhi(-1, 1), -1);
  EXPECT_EQ(__dp4a(0x01ff0203, 0x02030405, 10), 10 + 2 - 3 + 8 + 15);
}

TEST_F(intrinsics, floats) {
  EXPECT_EQ(__float2int_rn(2.5f), 2);
  EXPECT_EQ(__float2int_rd(-2.5f), -3);
  EXPECT_EQ(__float2int_rz(-2.5f), -2);
  EXPECT_EQ(__float2int_rn(1e20f), 2147483647);
  EXPECT_EQ(__float2int_rn(NAN), 0);
  EXPECT_EQ(__saturatef(NAN), 0.0f);
  EXPECT_EQ(__saturatef(2.0f), 1.0f);
  EXPECT_EQ(__fmaf_rn(1 + 0x1p-12f, 1 + 0x1p-12f, -1.0f), 0x1p-11f + 0x1p-24f);
  EXPECT_NEAR(__expf(1.0f), 2.7182818f, 1e-6);
  EXPECT_NEAR(__logf(2.0f), 0.6931472f, 1e-6);
  EXPECT_EQ(rsqrtf(4.0f), 0.5f);
  EXPECT_EQ(max(3, 4u), 4u);
  EXPECT_EQ(min(-1LL, 4), -1);
  EXPECT_EQ(__float_as_uint(1.0f), 0x3f800000u);
}

}  // namespace
}  // namespace ess::emulation::test
