#include "ess_core/device/cuda/emulation/tests/handles.h"

namespace ess::emulation::test {
namespace {

using failures = stand_in;

void nothing_kernel(ints) {}
cudaError_t launch_nothing() { return launch(nothing_kernel, 1, 32, 0, nullptr, ints{}); }

TEST_F(failures, the_nth_call_of_a_kind_fails_once) {
  void* p = nullptr;
  fail_at(call::allocation, 2, cudaErrorMemoryAllocation);
  check(cudaMalloc(&p, 4));
  check(cudaFree(p));
  EXPECT_EQ(cudaMalloc(&p, 4), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  check(cudaMalloc(&p, 4));
  check(cudaFree(p));
  EXPECT_EQ(calls_made(call::allocation), 3);
}

TEST_F(failures, every_kind_can_fail) {
  const device_array<int> x(1);
  void* p = nullptr;
  cudaStream_t s = nullptr;
  cudaEvent_t e = nullptr;
  const auto fails = [](call kind, auto f) {
    fail_at(kind, 1, cudaErrorNotSupported);
    EXPECT_EQ(f(), cudaErrorNotSupported);
    EXPECT_EQ(calls_made(kind), 1);
    reset();
  };
  reset();
  fails(call::host_allocation, [&] { return cudaHostAlloc(&p, 4, 0); });
  fails(call::copy, [&] { return cudaMemset(x.data(), 0, 4); });
  fails(call::launch, [&] { return launch_nothing(); });
  fails(call::stream, [&] { return cudaStreamCreateWithFlags(&s, 0); });
  fails(call::event, [&] { return cudaEventCreateWithFlags(&e, 0); });
  fails(call::graph, [&] { return cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeGlobal); });
  fails(call::synchronize, [&] { return cudaDeviceSynchronize(); });
  fails(call::any, [&] { return cudaSetDevice(0); });
}

TEST_F(failures, a_kernel_that_fails_while_it_runs_takes_the_device_with_it) {
  fail_at(call::kernel, 2, cudaErrorIllegalAddress);
  stand_in_settings().lazy_streams = true;
  EXPECT_EQ(launch_nothing(), cudaSuccess);
  EXPECT_EQ(launch_nothing(), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  EXPECT_EQ(launch_nothing(), cudaErrorIllegalAddress);
  EXPECT_STREQ(cudaGetErrorName(cudaGetLastError()), "cudaErrorIllegalAddress");
}

TEST_F(failures, objects_can_be_destroyed_after_a_failure) {
  fail_at(call::kernel, 1, cudaErrorLaunchFailure);
  void* p = nullptr;
  cudaStream_t s = nullptr;
  cudaEvent_t e = nullptr;
  check(cudaMalloc(&p, 4));
  check(cudaStreamCreateWithFlags(&s, 0));
  check(cudaEventCreateWithFlags(&e, 0));
  EXPECT_EQ(launch(nothing_kernel, 1, 32, 0, s, ints{}), cudaSuccess);
  EXPECT_EQ(cudaFree(p), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaEventDestroy(e), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaStreamDestroy(s), cudaErrorLaunchFailure);
}

}  // namespace
}  // namespace ess::emulation::test
