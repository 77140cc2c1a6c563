#include <functional>
#include <future>
#include <thread>

#include "ess_core/device/cuda/emulation/tests/handles.h"
#include "ess_core/device/cuda/emulation/tests/support.h"

namespace ess::emulation::test {
namespace {

struct add_params {
  int* x;
  int times, plus;
};
void add_kernel(add_params p) {
  if (threadIdx.x == 0) *p.x = *p.x * p.times + p.plus;
}
void add(const device_array<int>& x, int times, int plus, cudaStream_t s) {
  check(launch(add_kernel, 1, 32, 0, s, {x.data(), times, plus}));
}

// Each test with work at once and with work as late as possible.
class streams : public stand_in, public testing::WithParamInterface<bool> {
 protected:
  streams() { stand_in_settings().lazy_streams = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(eager_and_lazy, streams, testing::Bool());

TEST_P(streams, work_of_a_stream_is_in_order) {
  const device_array<int> x(std::vector<int>{1});
  const stream_handle s;
  add(x, 3, 0, s);
  add(x, 1, 4, s);
  check(cudaStreamSynchronize(s));
  EXPECT_EQ(x.values()[0], 7);
}

TEST_P(streams, an_event_orders_two_streams) {
  const device_array<int> x(std::vector<int>{1});
  const stream_handle a, b;
  const event_handle e;
  add(x, 3, 0, a);
  check(cudaEventRecord(e, a));
  check(cudaStreamWaitEvent(b, e));
  add(x, 1, 4, b);
  check(cudaStreamSynchronize(b));
  EXPECT_EQ(x.values()[0], 7);
}

TEST_P(streams, a_wait_is_for_the_last_record_before_it) {
  const device_array<int> x(std::vector<int>{1});
  const stream_handle a, b;
  const event_handle e;
  check(cudaStreamWaitEvent(b, e));  // never recorded: no wait
  add(x, 2, 0, a);
  check(cudaEventRecord(e, a));
  check(cudaStreamWaitEvent(b, e));
  add(x, 1, 1, b);
  check(cudaStreamSynchronize(b));
  EXPECT_EQ(x.values()[0], 3);
}

TEST_P(streams, the_null_stream_is_ordered_with_blocking_ones) {
  const device_array<int> x(std::vector<int>{1});
  const stream_handle s(cudaStreamDefault);
  add(x, 3, 0, s);
  add(x, 1, 4, nullptr);
  add(x, 2, 0, s);
  check(cudaStreamSynchronize(s));
  EXPECT_EQ(x.values()[0], 14);
}

TEST_P(streams, events_measure_time) {
  const stream_handle s;
  const event_handle a, b, untimed(cudaEventDisableTiming);
  float ms = -1;
  EXPECT_EQ(cudaEventElapsedTime(&ms, a, b), cudaErrorInvalidResourceHandle);
  check(cudaEventRecord(a, s));
  check(cudaLaunchHostFunc(
      s, [](void*) { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }, nullptr));
  check(cudaEventRecord(b, s));
  check(cudaEventRecord(untimed, s));
  check(cudaEventSynchronize(untimed));
  check(cudaEventElapsedTime(&ms, a, b));
  EXPECT_GE(ms, 2);
  EXPECT_EQ(cudaEventElapsedTime(&ms, a, untimed), cudaErrorInvalidResourceHandle);
}

TEST_P(streams, who_polls_an_event_sees_an_end) {
  const stream_handle s;
  const event_handle e;
  const device_array<int> x(std::vector<int>{1});
  add(x, 3, 0, s);
  check(cudaEventRecord(e, s));
  int polls = 0;
  while (cudaEventQuery(e) == cudaErrorNotReady) ++polls;
  EXPECT_EQ(polls, GetParam() ? 1 : 0);
  EXPECT_EQ(cudaStreamQuery(s), cudaSuccess);
}

TEST_P(streams, a_host_function_may_wait_for_another_thread_that_uses_the_device) {
  const stream_handle s, t;
  struct shared {
    std::promise<void> entered, released;
  } both;
  const auto function = [](void* p) {
    static_cast<shared*>(p)->entered.set_value();
    static_cast<shared*>(p)->released.get_future().wait();
  };
  std::thread other([&] {
    both.entered.get_future().wait();
    check(cudaStreamSynchronize(t));
    both.released.set_value();
  });
  check(cudaLaunchHostFunc(s, function, &both));
  check(cudaStreamSynchronize(s));
  other.join();
}

TEST_P(streams, a_host_function_must_not_call_the_runtime) {
  cudaError_t inner = cudaSuccess;
  check(cudaLaunchHostFunc(
      nullptr, [](void* e) { *static_cast<cudaError_t*>(e) = cudaDeviceSynchronize(); }, &inner));
  check(cudaDeviceSynchronize());
  EXPECT_EQ(inner, cudaErrorNotPermitted);
  reset();
}

TEST_F(stand_in, lazy_work_shows_a_missing_wait) {
  const device_array<int> x(std::vector<int>{1});
  void* p = nullptr;
  check(cudaHostAlloc(&p, 4, 0));
  auto* const host = static_cast<int*>(p);
  stand_in_settings().lazy_streams = true;
  const stream_handle a, b;
  add(x, 3, 0, a);
  check(cudaMemcpyAsync(host, x.data(), 4, cudaMemcpyDeviceToHost, a));
  EXPECT_EQ(*host, -1) << "nobody waited";
  add(x, 1, 4, b);  // not ordered after a
  check(cudaStreamSynchronize(b));
  check(cudaStreamSynchronize(a));
  EXPECT_EQ(*host, 15);
  check(cudaFreeHost(host));
}

TEST_F(stand_in, streams_and_events_that_are_none_are_refused) {
  stream_handle s;
  event_handle e;
  const auto none = reinterpret_cast<cudaStream_t>(&s);
  EXPECT_EQ(cudaStreamSynchronize(none), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventRecord(e, none), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventRecord(reinterpret_cast<cudaEvent_t>(&e), s), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaMemsetAsync(nullptr, 0, 0, none), cudaErrorInvalidResourceHandle);
}

}  // namespace
}  // namespace ess::emulation::test
