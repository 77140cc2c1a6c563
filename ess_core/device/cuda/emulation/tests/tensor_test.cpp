// Tensor-core products and asynchronous copies.
#include "ess_core/device/cuda/emulation/tests/support.h"
#include "ess_core/device/cuda/kernel.h"

namespace ess::emulation::test {
namespace {

using cuda_emulated::bf16_to_float;
using cuda_emulated::float_to_bf16;
using tensor_cores = stand_in;

struct product_params {
  const std::uint16_t* a;  // [16][16]
  const std::uint16_t* b;  // [16][8]
  float* d;                // [16][8]
};

void product_kernel(product_params p) {
  __shared__ __align__(16) std::uint16_t a[256];
  __shared__ __align__(16) std::uint16_t b[16 * 16];  // two tiles wide: x4 loads both
  const unsigned lane = threadIdx.x;
  for (unsigned i = lane; i < 256; i += 32) {
    a[i] = p.a[i];
    b[i] = i % 16 < 8 ? p.b[i / 16 * 8 + i % 16] : std::uint16_t{0};
  }
  __syncwarp();
  std::uint32_t fa[4], fb[4];
  ldmatrix_x4(fa, &a[lane % 16 * 16 + lane / 16 * 8]);
  ldmatrix_x4_trans(fb, &b[lane % 16 * 16 + lane / 16 * 8]);
  float d[4] = {1, 1, 1, 1};
  const std::uint32_t first[2] = {fb[0], fb[1]};
  mma_bf16(d, fa, first);
  for (unsigned i = 0; i < 4; ++i) p.d[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = d[i];
}

TEST_F(tensor_cores, products_of_matrices_loaded_from_shared_memory) {
  std::vector<std::uint16_t> a(256), b(128);
  for (std::size_t i = 0; i < 256; ++i) a[i] = float_to_bf16(static_cast<float>(i * 7 % 23) - 11);
  for (std::size_t i = 0; i < 128; ++i) b[i] = float_to_bf16(static_cast<float>(i * 5 % 17) - 8);
  const device_array<std::uint16_t> da(a), db(b);
  const device_array<float> d(128);
  ASSERT_EQ(run(product_kernel, 1, 32, {da.data(), db.data(), d.data()}), cudaSuccess) << last_report();
  const auto out = d.values();
  for (std::size_t row = 0; row < 16; ++row) {
    for (std::size_t column = 0; column < 8; ++column) {
      float sum = 1;
      for (std::size_t k = 0; k < 16; ++k)
        sum += bf16_to_float(a[row * 16 + k]) * bf16_to_float(b[k * 8 + column]);
      EXPECT_EQ(out[row * 8 + column], sum) << row << " " << column;
    }
  }
}

void misaligned_rows_kernel(ints) {
  __shared__ __align__(16) std::uint16_t rows[512];
  std::uint32_t d[4];
  ldmatrix_x4(d, &rows[threadIdx.x * 8 + 1]);
}
void half_warp_kernel(ints) {
  if (threadIdx.x >= 16) return;
  float d[4] = {};
  mma_bf16(d, {0, 0, 0, 0}, {0, 0});
}

TEST_F(tensor_cores, misaligned_rows_and_parts_of_a_warp_fail) {
  EXPECT_EQ(run(misaligned_rows_kernel, 1, 32, ints{}), cudaErrorMisalignedAddress);
  reset();
  EXPECT_EQ(run(half_warp_kernel, 1, 32, ints{}), cudaErrorLaunchFailure);
  EXPECT_THAT(last_report(), HasSubstr("have exited"));
}

struct copy_params {
  const uint4* in;
  uint4* out;
};

template <bool waits>
void copy_kernel(copy_params p) {
  __shared__ uint4 tile[2][32];
  tile[0][threadIdx.x] = tile[1][threadIdx.x] = {0, 0, 0, 0};
  __syncwarp();
  for (int i = 0; i < 2; ++i) {
    copy_async_16(&tile[i][threadIdx.x], &p.in[32 * i + static_cast<int>(threadIdx.x)]);
    copy_commit();
  }
  if constexpr (waits) copy_wait<1>();
  __syncwarp();
  p.out[threadIdx.x] = tile[0][31 - threadIdx.x];
  p.out[32 + threadIdx.x] = tile[1][31 - threadIdx.x];  // not waited for
  copy_wait<0>();
  __syncwarp();
  p.out[64 + threadIdx.x] = tile[1][31 - threadIdx.x];
}

TEST_F(tensor_cores, an_asynchronous_copy_lands_at_its_wait) {
  std::vector<uint4> in(64);
  for (unsigned i = 0; i < 64; ++i) in[i] = {i + 1, 0, 0, 0};
  const device_array<uint4> from(in), to(96);
  ASSERT_EQ(run(copy_kernel<true>, 1, 32, {from.data(), to.data()}), cudaSuccess);
  EXPECT_EQ(to.values()[0].x, 32u);
  EXPECT_EQ(to.values()[32].x, 0u);
  EXPECT_EQ(to.values()[64].x, 64u);
  ASSERT_EQ(run(copy_kernel<false>, 1, 32, {from.data(), to.data()}), cudaSuccess);
  EXPECT_EQ(to.values()[0].x, 0u) << "the missing wait went unnoticed";
}

}  // namespace
}  // namespace ess::emulation::test
