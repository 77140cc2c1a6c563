#include "ess_core/device/cuda/runtime.h"

#include <cstring>

#ifdef ESSBENCH_CUDA_EMULATED
#include "ess_core/device/cuda/emulation/stand_in.h"
#endif

namespace ess::ESS_CUDA {
namespace {

class cuda_runtime : public testing::Test {
 protected:
  void SetUp() override {
    if (device_count() == 0) GTEST_SKIP() << "no CUDA device here";
  }
};

TEST_F(cuda_runtime, bytes_go_to_the_device_and_back) {
  const device_memory memory(100);
  std::vector<char> out(100), in(100, 'x');
  const stream s;
  check("cudaMemcpyAsync", cudaMemcpyAsync(memory.data(), in.data(), 100, cudaMemcpyHostToDevice, s.get()));
  check("cudaMemcpyAsync", cudaMemcpyAsync(out.data(), memory.data(), 100, cudaMemcpyDeviceToHost, s.get()));
  s.synchronize();
  EXPECT_EQ(out, in);
}

TEST_F(cuda_runtime, pinned_memory_is_seen_from_both_sides) {
  const pinned_memory memory(64);
  std::memset(memory.on_host(), 7, 64);
  const device_memory copy(64);
  check("cudaMemcpy", cudaMemcpy(copy.data(), memory.on_device(), 64, cudaMemcpyDefault));
  std::vector<char> out(64);
  check("cudaMemcpy", cudaMemcpy(out.data(), copy.data(), 64, cudaMemcpyDeviceToHost));
  EXPECT_EQ(out, std::vector<char>(64, 7));
}

TEST_F(cuda_runtime, nothing_is_allocated_for_no_bytes) {
  EXPECT_EQ(device_memory(0).data(), nullptr);
  EXPECT_EQ(pinned_memory(0).on_host(), nullptr);
}

TEST_F(cuda_runtime, events_tell_the_time_between_them) {
  const stream s;
  const event first(event::timing::on), second(event::timing::on);
  const device_memory memory(1 << 20);
  first.record(s);
  check("cudaMemsetAsync", cudaMemsetAsync(memory.data(), 1, memory.size(), s.get()));
  second.record(s);
  second.synchronize();
  EXPECT_GE(second.since(first).count(), 0);
  EXPECT_LT(second.since(first).count(), 1e6);
}

TEST_F(cuda_runtime, a_graph_repeats_what_was_captured_on_two_streams) {
  const stream a, b;
  const event forked(event::timing::off), joined(event::timing::off);
  const device_memory memory(2);
  const graph g(a, [&] {
    check("cudaMemsetAsync", cudaMemsetAsync(memory.data(), 1, 1, a.get()));
    forked.record(a);
    check("cudaStreamWaitEvent", cudaStreamWaitEvent(b.get(), forked.get(), 0));
    check("cudaMemsetAsync", cudaMemsetAsync(memory.data() + 1, 2, 1, b.get()));
    joined.record(b);
    check("cudaStreamWaitEvent", cudaStreamWaitEvent(a.get(), joined.get(), 0));
  });
  for (int i = 0; i < 2; ++i) {
    check("cudaMemset", cudaMemset(memory.data(), 0, 2));
    g.launch(a);
    a.synchronize();
    std::array<char, 2> out{};
    check("cudaMemcpy", cudaMemcpy(out.data(), memory.data(), 2, cudaMemcpyDeviceToHost));
    EXPECT_EQ(out, (std::array<char, 2>{1, 2}));
  }
}

TEST_F(cuda_runtime, a_failed_call_says_what_where_and_why) {
  try {
    check("cudaMemcpy of nothing much", cudaErrorInvalidValue);
    FAIL();
  } catch (const cuda_error& e) {
    EXPECT_EQ(e.code(), cudaErrorInvalidValue);
    EXPECT_THAT(e.what(), testing::AllOf(testing::HasSubstr("cudaMemcpy of nothing much"),
                                         testing::HasSubstr("cudaErrorInvalidValue"),
                                         testing::HasSubstr("runtime_test")));
  }
}

TEST_F(cuda_runtime, a_capture_that_fails_leaves_the_stream_usable) {
  const stream s;
  EXPECT_THROW(graph(s, [] { throw std::runtime_error("while capturing"); }), std::runtime_error);
  const device_memory memory(8);
  check("cudaMemsetAsync", cudaMemsetAsync(memory.data(), 0, 8, s.get()));
  EXPECT_NO_THROW(s.synchronize());
}

TEST_F(cuda_runtime, the_gpu_is_described) {
  const cuda_gpu gpu = describe_gpu(0);
  EXPECT_FALSE(gpu.name.empty());
  EXPECT_GE(gpu.compute_major, 8);
  EXPECT_GT(gpu.multiprocessors, 0);
  EXPECT_GT(gpu.memory.value, 0);
  EXPECT_GT(free_device_memory().value, 0);
}

TEST_F(cuda_runtime, a_device_that_does_not_exist_is_refused_and_the_old_one_stays) {
  EXPECT_THROW(device_guard{device_count()}, cuda_error);
  EXPECT_NO_THROW(device_memory(16));
}

#ifdef ESSBENCH_CUDA_EMULATED

class injected_failures : public testing::Test {
 protected:
  void SetUp() override { emulation::reset(); }
  void TearDown() override {
    emulation::reset();
    EXPECT_EQ(emulation::count_live(), before_);
  }
  emulation::live_objects before_ = emulation::count_live();
};

TEST_F(injected_failures, become_typed_errors_and_leak_nothing) {
  using emulation::call;
  emulation::fail_at(call::allocation, 2, cudaErrorMemoryAllocation);
  const device_memory first(10);
  EXPECT_THROW(device_memory(10), cuda_error);
  EXPECT_NO_THROW(device_memory(10));
  emulation::fail_at(call::host_allocation, 1, cudaErrorMemoryAllocation);
  EXPECT_THROW(pinned_memory(10), cuda_error);
  emulation::fail_at(call::stream, 1, cudaErrorInvalidValue);
  EXPECT_THROW(stream(), cuda_error);
  emulation::fail_at(call::event, 1, cudaErrorInvalidValue);
  EXPECT_THROW(event(event::timing::on), cuda_error);
  emulation::fail_at(call::synchronize, 1, cudaErrorLaunchFailure);
  EXPECT_THROW(stream().synchronize(), cuda_error);
}

#endif

}  // namespace
}  // namespace ess::ESS_CUDA
