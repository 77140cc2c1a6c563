// Kernels with a defect, and their correct twins: the checker must find the first and pass the second, in any
// order of threads. Compiled as ess_cuda_races, which holds the checker.
#include "ess_core/device/cuda/emulation/tests/support.h"
#include "ess_core/device/cuda/kernel.h"

namespace ess::emulation::test {
namespace {

class checked_accesses : public stand_in {
 protected:
  void SetUp() override { ASSERT_TRUE(checks_accesses()); }
  // Both kernels in turn and in several orders.
  template <class P>
  void expect_race(void (*wrong)(P), void (*right)(P), dim3 grid, dim3 block, std::size_t shared = 0) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      reset();
      stand_in_settings().seed = seed == 0 ? std::nullopt : std::optional(seed);
      stand_in_settings().accesses_between_switches = static_cast<int>(seed) * 5;
      const device_array<int> a(std::vector<int>(1024)), b(std::vector<int>(1024));
      EXPECT_EQ(run(right, grid, block, P{a.data()}, shared), cudaSuccess) << last_report();
      EXPECT_EQ(run(wrong, grid, block, P{b.data()}, shared), cudaErrorLaunchFailure) << "seed " << seed;
      EXPECT_THAT(last_report(), HasSubstr("race on"));
      EXPECT_THAT(last_report(), HasSubstr("checker_test.cpp:"));
    }
    reset();
  }
};

template <bool with_barrier>
void neighbour_kernel(ints p) {
  __shared__ int slots[256];
  slots[threadIdx.x] = static_cast<int>(threadIdx.x);
  if (with_barrier) __syncthreads();
  p.out[threadIdx.x] = slots[(threadIdx.x + 1) % 256];
}
TEST_F(checked_accesses, find_a_missing_barrier) {
  expect_race(neighbour_kernel<false>, neighbour_kernel<true>, 1, 256);
}

template <bool with_barrier>
void reuse_kernel(ints p) {
  auto* const slots = reinterpret_cast<int*>(dynamic_shared());
  for (int round = 0; round < 3; ++round) {
    slots[threadIdx.x] = round;
    __syncthreads();
    p.out[threadIdx.x] += slots[(threadIdx.x + 40) % 64];
    if (with_barrier) __syncthreads();
  }
}
TEST_F(checked_accesses, find_a_buffer_that_is_reused_too_early) {
  expect_race(reuse_kernel<false>, reuse_kernel<true>, 1, 64, 256);
}

template <bool with_sync>
void warp_kernel(ints p) {
  __shared__ int value;
  if (threadIdx.x == 31) value = 42;
  if (with_sync) {
    __syncwarp();
  } else {
    __shfl_sync(~0u, 0, 0);  // orders no memory
  }
  p.out[threadIdx.x] = value;
}
TEST_F(checked_accesses, find_a_missing_syncwarp) {
  expect_race(warp_kernel<false>, warp_kernel<true>, 1, 32);
}

template <bool atomically>
void count_kernel(ints p) {
  if (threadIdx.x != 0) return;
  if (atomically) {
    atomicAdd(&p.out[0], 1);
  } else {
    p.out[0] = p.out[0] + 1;
  }
}
TEST_F(checked_accesses, find_blocks_that_update_a_word_without_atomics) {
  expect_race(count_kernel<false>, count_kernel<true>, 2, 32);
}

// Every block writes its part; the last to come reads them all.
template <bool with_fence>
void last_block_kernel(ints p) {
  __shared__ bool last;
  p.out[64 + blockIdx.x * 32 + threadIdx.x] = 1;
  if (with_fence) __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last = atomicAdd(&p.out[0], 1) == static_cast<int>(gridDim.x) - 1;
    if (last) p.out[0] = 0;  // for the next launch
  }
  __syncthreads();
  if (!last) return;
  if (with_fence) __threadfence();
  int sum = 0;
  for (unsigned i = threadIdx.x; i < gridDim.x * 32; i += 32) sum += p.out[64 + i];
  atomicAdd(&p.out[1], sum);
}
TEST_F(checked_accesses, find_a_missing_fence_between_blocks) {
  expect_race(last_block_kernel<false>, last_block_kernel<true>, 8, 32);
}

template <int stride>
void rows_kernel(ints p) {  // a row of 16 bytes a thread
  for (int i = 0; i < 16; ++i) reinterpret_cast<char*>(p.out)[static_cast<int>(threadIdx.x) * stride + i] = 1;
}
TEST_F(checked_accesses, find_rows_that_overlap_by_a_byte) {
  expect_race(rows_kernel<15>, rows_kernel<16>, 1, 64);
}

template <bool with_wait>
void copy_kernel(ints p) {
  __shared__ uint4 tile[32];
  copy_async_16(&tile[threadIdx.x], reinterpret_cast<uint4*>(p.out) + threadIdx.x);
  copy_commit();
  if (with_wait) copy_wait<0>();
  __syncthreads();
  p.out[512 + threadIdx.x] = static_cast<int>(tile[31 - threadIdx.x].x);
  copy_wait<0>();
}
TEST_F(checked_accesses, find_a_copy_that_lands_too_late) {
  expect_race(copy_kernel<false>, copy_kernel<true>, 1, 32);
}

template <bool with_sync>
void matrix_kernel(ints p) {
  __shared__ __align__(16) std::uint16_t rows[256];
  for (unsigned i = threadIdx.x; i < 256; i += 32) rows[i] = static_cast<std::uint16_t>(i);
  if (with_sync) __syncwarp();
  std::uint32_t d[4];
  ldmatrix_x4(d, &rows[threadIdx.x * 8]);
  p.out[threadIdx.x] = static_cast<int>(d[0] + d[1] + d[2] + d[3]);
}
TEST_F(checked_accesses, find_matrices_loaded_before_they_are_there) {
  expect_race(matrix_kernel<false>, matrix_kernel<true>, 1, 32);
}

constexpr int barrier_of_droppable = __LINE__ + 4;
void droppable_kernel(ints p) {
  __shared__ int slots[256];
  slots[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncthreads();
  p.out[threadIdx.x] = slots[(threadIdx.x + 1) % 256];
}
TEST_F(checked_accesses, find_a_barrier_that_a_setting_drops) {
  const device_array<int> out(256);
  EXPECT_EQ(run(droppable_kernel, 1, 256, {out.data()}), cudaSuccess) << last_report();
  stand_in_settings().dropped = "checker_test.cpp:" + std::to_string(barrier_of_droppable);
  EXPECT_EQ(run(droppable_kernel, 1, 256, {out.data()}), cudaErrorLaunchFailure);
}

struct pointers {
  float* device;
  const float* other;
};
void sum_kernel(pointers p) { p.device[threadIdx.x] += p.other[threadIdx.x]; }
void vector_kernel(pointers p) {
  const float4 v = reinterpret_cast<const float4*>(p.other)[threadIdx.x];
  p.device[threadIdx.x] = v.x + v.y + v.z + v.w;
}

TEST_F(checked_accesses, find_what_is_no_device_memory) {
  const device_array<float> device(std::vector<float>(32));
  std::vector<float> host(32);
  void* pinned = nullptr;
  check(cudaHostAlloc(&pinned, 128, cudaHostAllocMapped));
  EXPECT_EQ(run(sum_kernel, 1, 32, {device.data(), static_cast<float*>(pinned)}), cudaSuccess)
      << last_report();
  EXPECT_EQ(run(sum_kernel, 1, 32, {device.data(), host.data()}), cudaErrorIllegalAddress);
  EXPECT_THAT(last_report(), HasSubstr("plain host memory"));
  reset();
  check(cudaFreeHost(pinned));
  EXPECT_EQ(run(sum_kernel, 1, 32, {device.data(), static_cast<float*>(pinned)}), cudaErrorIllegalAddress);
}

TEST_F(checked_accesses, find_one_element_too_many) {
  const device_array<float> device(std::vector<float>(32));
  EXPECT_EQ(run(sum_kernel, 1, 33, {device.data(), device.data()}), cudaErrorIllegalAddress);
  EXPECT_THAT(last_report(), HasSubstr("thread (32,0,0)"));
}

void beyond_shared_kernel(ints p) {
  auto* const slots = reinterpret_cast<int*>(dynamic_shared());
  p.out[threadIdx.x] = slots[threadIdx.x];
}
TEST_F(checked_accesses, find_shared_memory_that_was_not_asked_for) {
  const device_array<int> out(64);
  EXPECT_EQ(run(beyond_shared_kernel, 1, 32, {out.data()}, 128), cudaSuccess) << last_report();
  EXPECT_EQ(run(beyond_shared_kernel, 1, 33, {out.data()}, 130), cudaErrorIllegalAddress);
  EXPECT_THAT(last_report(), HasSubstr("dynamic shared memory + 128 of 130"));
}

TEST_F(checked_accesses, find_misaligned_vectors) {
#ifdef __clang__
  GTEST_SKIP() << "clang++ takes the vector apart";
#endif
  const device_array<float> device(std::vector<float>(256));
  EXPECT_EQ(run(vector_kernel, 1, 16, {device.data(), device.data() + 128}), cudaSuccess) << last_report();
  EXPECT_EQ(run(vector_kernel, 1, 16, {device.data(), device.data() + 129}), cudaErrorMisalignedAddress);
  EXPECT_THAT(last_report(), HasSubstr("checker_test.cpp:"));
}

void unwritten_kernel(ints p) {
  __shared__ int slots[32];
  if (p.out[0] == static_cast<int>(blockIdx.x)) slots[threadIdx.x] = 7;
  __syncwarp();
  p.out[32 + threadIdx.x] = slots[threadIdx.x];
}
TEST_F(checked_accesses, static_shared_memory_does_not_outlive_its_block) {
  const device_array<int> out(std::vector<int>(64));
  EXPECT_EQ(run(unwritten_kernel, 1, 32, {out.data()}), cudaSuccess) << last_report();
  EXPECT_EQ(out.values()[40], 7);
  check(cudaMemset(out.data(), 0xff, 4));
  EXPECT_EQ(run(unwritten_kernel, 1, 32, {out.data()}), cudaSuccess);
  EXPECT_EQ(out.values()[40], -1);
}

void lost_update_kernel(ints p) {
  volatile int* const x = p.out;
  for (int i = 0; i < 8; ++i) *x = *x + 1;
}
TEST_F(checked_accesses, a_seed_switches_threads_between_accesses) {
  stand_in_settings().seed = 1;
  stand_in_settings().accesses_between_switches = 5;
  const device_array<int> out(std::vector<int>(1));
  EXPECT_EQ(run(lost_update_kernel, 1, 64, {out.data()}), cudaSuccess);
  EXPECT_LT(out.values()[0], 512);
}

}  // namespace
}  // namespace ess::emulation::test
