#include <set>

#include "ess_core/device/cuda/emulation/tests/support.h"

namespace ess::emulation::test {
namespace {

using block_scheduler = stand_in;

// The line on which a kernel of this file does something wrong.
int wrong_line = 0;
#define WRONG wrong_line = __LINE__;

void indices_kernel(ints p) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  p.out[block * (blockDim.x * blockDim.y * blockDim.z) + thread] += static_cast<int>(block * 1000 + thread);
}

TEST_F(block_scheduler, every_thread_of_every_block_runs_once) {
  for (const int workers : {1, 3}) {
    stand_in_settings().workers = workers;
    const device_array<int> out(std::vector<int>(24 * 30));
    ASSERT_EQ(run(indices_kernel, dim3(2, 3, 4), dim3(5, 3, 2), {out.data()}), cudaSuccess);
    const auto values = out.values();
    for (int i = 0; i < 24 * 30; ++i) EXPECT_EQ(values[static_cast<std::size_t>(i)], i / 30 * 1000 + i % 30);
  }
}

void barriers_kernel(ints p) {
  __shared__ int slots[100];
  const int me = static_cast<int>(threadIdx.x);
  for (int round = 0; round < 5; ++round) {
    slots[me] = me + round;
    __syncthreads();
    p.out[me] = slots[(me + 1) % 100];
    __syncthreads();
  }
  p.out[100 + me] = __syncthreads_count(me % 3 == 0);
  p.out[200 + me] = __syncthreads_and(me < 99) * 10 + __syncthreads_and(me < 100);
  p.out[300 + me] = __syncthreads_or(me == 7) * 10 + __syncthreads_or(me == 100);
}

TEST_F(block_scheduler, a_barrier_holds_all_threads_whatever_their_order) {
  for (const std::uint64_t seed : {0, 1, 2, 3}) {
    if (seed != 0) stand_in_settings().seed = seed;
    const device_array<int> out(400);
    ASSERT_EQ(run(barriers_kernel, 1, 100, {out.data()}), cudaSuccess) << last_report();
    const auto values = out.values();
    for (std::size_t i = 0; i < 100; ++i) {
      EXPECT_EQ(values[i], static_cast<int>(i + 1) % 100 + 4);
      EXPECT_EQ(values[100 + i], 34);
      EXPECT_EQ(values[200 + i], 1);
      EXPECT_EQ(values[300 + i], 10);
    }
  }
}

void order_kernel(ints p) { p.out[atomicAdd(&p.out[64], 1)] = static_cast<int>(threadIdx.x); }

TEST_F(block_scheduler, a_seed_sets_the_order_of_threads) {
  const auto order = [](std::optional<std::uint64_t> seed) {
    stand_in_settings().seed = seed;
    device_array<int> out(std::vector<int>(65));
    check(run(order_kernel, 1, 64, {out.data()}));
    return out.values();
  };
  std::set<std::vector<int>> orders;
  for (const std::uint64_t seed : {1, 2, 3}) orders.insert(order(seed));
  EXPECT_EQ(orders.size(), 3u);
  EXPECT_EQ(order(2), order(2));
  EXPECT_EQ(order({})[5], 5);
}

void early_exit_kernel(ints p) {
  if (threadIdx.x >= 50) return;
  __syncthreads();
  p.out[threadIdx.x] = 1;
}

TEST_F(block_scheduler, a_barrier_does_not_wait_for_threads_that_left) {
  const device_array<int> out(50);
  EXPECT_EQ(run(early_exit_kernel, 1, 80, {out.data()}), cudaSuccess);
  EXPECT_EQ(out.values()[49], 1);
}

void divergent_kernel(ints p) {
  if (threadIdx.x < 32) {
    __syncthreads();
    p.out[0] = 1;
  } else {
    WRONG __syncthreads();
  }
}

TEST_F(block_scheduler, a_divergent_barrier_fails_the_launch_with_file_line_and_thread) {
  const device_array<int> out(1);
  EXPECT_EQ(run(divergent_kernel, 2, 64, {out.data()}), cudaErrorLaunchFailure);
  EXPECT_THAT(last_report(), HasSubstr("thread (32,0,0) of block (0,0,0)"));
  EXPECT_THAT(last_report(), HasSubstr("block_test.cpp:" + std::to_string(wrong_line)));
  EXPECT_THAT(last_report(), HasSubstr("divergent barrier"));
}

void one_waits_kernel(ints) {
  if (threadIdx.x == 3) {
    WRONG __shfl_sync(0x18u, 1, 3);  // lane 4 never comes
  } else if (threadIdx.x == 4) {
    __syncthreads();
  }
}

TEST_F(block_scheduler, a_deadlock_fails_the_launch_and_says_who_waits_where) {
  EXPECT_EQ(run(one_waits_kernel, 1, 32, ints{}), cudaErrorLaunchFailure);
  EXPECT_THAT(last_report(), HasSubstr("deadlock in block (0,0,0), 2 of 32 threads left"));
  EXPECT_THAT(last_report(), HasSubstr("block_test.cpp:" + std::to_string(wrong_line) + ": threads 3"));
  EXPECT_THAT(last_report(), HasSubstr("at a barrier of the block"));
}

void poll_kernel(ints p) {
  if (threadIdx.x == 0) {
    while (atomicAdd(&p.out[0], 0) == 0) {
    }
  }
  if (threadIdx.x == 40) atomicExch(&p.out[0], 1);
}
void poll_forever_kernel(ints p) {
  while (atomicAdd(&p.out[0], 0) == 0) __nanosleep(10);
}

TEST_F(block_scheduler, a_thread_may_poll_for_another_but_not_forever) {
  const device_array<int> out(std::vector<int>(1));
  EXPECT_EQ(run(poll_kernel, 1, 64, {out.data()}), cudaSuccess);
  const device_array<int> never(std::vector<int>(1));
  EXPECT_EQ(run(poll_forever_kernel, 1, 2, {never.data()}), cudaErrorLaunchFailure);
  EXPECT_THAT(last_report(), HasSubstr("spins"));
}

void trap_kernel(ints) {
  if (blockIdx.x == 2) __trap();
}

TEST_F(block_scheduler, a_failed_kernel_leaves_an_error_that_stays) {
  EXPECT_EQ(run(trap_kernel, 4, 32, ints{}), cudaErrorLaunchFailure);
  EXPECT_THAT(last_report(), HasSubstr("block (2,0,0): __trap()"));
  void* p = nullptr;
  EXPECT_EQ(cudaMalloc(&p, 4), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  reset();
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_EQ(last_report(), "");
}

void throwing_kernel(ints) { throw 1; }

TEST_F(block_scheduler, an_exception_is_a_failure) {
  EXPECT_EQ(run(throwing_kernel, 1, 1, ints{}), cudaErrorLaunchFailure);
}

void dynamic_kernel(ints p) {
  const auto* words = reinterpret_cast<const int*>(dynamic_shared());
  p.out[threadIdx.x] = words[threadIdx.x];
}

TEST_F(block_scheduler, dynamic_shared_memory_starts_as_nan_bytes_and_has_a_limit) {
  const device_array<int> out(32);
  EXPECT_EQ(run(dynamic_kernel, 1, 32, {out.data()}, 128), cudaSuccess);
  EXPECT_EQ(out.values(), std::vector<int>(32, -1));
  EXPECT_EQ(run(dynamic_kernel, 1, 32, {out.data()}, 227 * 1024), cudaSuccess);
  EXPECT_EQ(run(dynamic_kernel, 1, 32, {out.data()}, 227 * 1024 + 1), cudaErrorInvalidValue);
}

void static_size_kernel(ints) {}

TEST_F(block_scheduler, impossible_launches_are_refused) {
  EXPECT_EQ(run(static_size_kernel, 1, 1025, ints{}), cudaErrorInvalidConfiguration);
  EXPECT_EQ(run(static_size_kernel, 1, dim3(1, 1, 65), ints{}), cudaErrorInvalidConfiguration);
  EXPECT_EQ(run(static_size_kernel, 0, 32, ints{}), cudaErrorInvalidConfiguration);
  EXPECT_EQ(run(static_size_kernel, dim3(1, 65536), 32, ints{}), cudaErrorInvalidConfiguration);
  EXPECT_EQ(run(static_size_kernel, 1, 1024, ints{}), cudaSuccess);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

void outside() { __syncthreads(); }

TEST_F(block_scheduler, kernel_functions_end_a_program_that_calls_them_outside) {
  EXPECT_DEATH(outside(), "__syncthreads outside a kernel, at block_test.cpp");
}

}  // namespace
}  // namespace ess::emulation::test
