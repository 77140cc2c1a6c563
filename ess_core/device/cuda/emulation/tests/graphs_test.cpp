#include <thread>

#include "ess_core/device/cuda/emulation/tests/handles.h"

namespace ess::emulation::test {
namespace {

struct add_params {
  int* x;
  int times, plus;
};
void add_kernel(add_params p) {
  if (threadIdx.x == 0) *p.x = *p.x * p.times + p.plus;
}

class graphs : public stand_in {
 protected:
  void add(int times, int plus, cudaStream_t s) {
    check(launch(add_kernel, 1, 32, 0, s, {x_.data(), times, plus}));
  }
  void begin(cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal) {
    check(cudaStreamBeginCapture(a_, mode));
  }
  cudaError_t end() { return cudaStreamEndCapture(a_, &graph_); }
  // Ends the capture, launches it so many times.
  void run_graph(int launches) {
    check(end());
    check(cudaGraphInstantiate(&executable_, graph_));
    for (int i = 0; i < launches; ++i) check(cudaGraphLaunch(executable_, a_));
    check(cudaStreamSynchronize(a_));
    check(cudaGraphExecDestroy(executable_));
    check(cudaGraphDestroy(graph_));
  }
  // b waits for what a has, or the other way round.
  void join(cudaStream_t waits, cudaStream_t on, cudaEvent_t e) {
    check(cudaEventRecord(e, on));
    check(cudaStreamWaitEvent(waits, e));
  }
  int value() const { return x_.values()[0]; }

  device_array<int> x_{std::vector<int>{1}};
  stream_handle a_, b_;
  event_handle fork_, join_;
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
};

TEST_F(graphs, work_is_recorded_and_runs_at_each_launch) {
  begin();
  add(3, 0, a_);
  add(1, 4, a_);
  EXPECT_EQ(count_live().graphs, 0);
  run_graph(2);
  EXPECT_EQ(value(), (1 * 3 + 4) * 3 + 4);
}

TEST_F(graphs, a_stream_joins_by_waiting_for_a_captured_event) {
  for (const bool lazy : {false, true}) {
    check(cudaMemset(x_.data(), 0, 4));
    stand_in_settings().lazy_streams = lazy;
    begin();
    add(1, 1, a_);
    join(b_, a_, fork_);
    add(5, 0, b_);
    join(a_, b_, join_);
    add(1, 2, a_);
    run_graph(1);
    EXPECT_EQ(value(), 7);
    reset();
  }
  add(1, 1, b_);  // b_ is free again
  EXPECT_EQ(value(), 8);
}

TEST_F(graphs, a_missing_dependency_shows_in_another_order) {
  stand_in_settings().lazy_streams = true;
  begin();
  join(b_, a_, fork_);
  add(1, 1, a_);
  add(5, 0, b_);  // should have come after a_'s
  join(a_, b_, join_);
  run_graph(1);
  EXPECT_EQ(value(), 6);
}

TEST_F(graphs, unjoined_work_spoils_the_capture) {
  begin();
  add(1, 1, a_);
  join(b_, a_, fork_);
  add(5, 0, b_);
  EXPECT_EQ(end(), cudaErrorStreamCaptureUnjoined);
  EXPECT_EQ(graph_, nullptr);
  add(1, 1, a_);
  add(1, 1, b_);
  EXPECT_EQ(value(), 3);
}

TEST_F(graphs, copies_fills_and_host_functions_are_captured) {
  int calls = 0;
  void* p = nullptr;
  check(cudaHostAlloc(&p, 4, 0));
  auto* const host = static_cast<int*>(p);
  *host = 20;
  begin();
  check(cudaMemcpyAsync(x_.data(), host, 4, cudaMemcpyHostToDevice, a_));
  add(2, 1, a_);
  check(cudaMemcpyAsync(host, x_.data(), 4, cudaMemcpyDeviceToHost, a_));
  check(cudaMemsetAsync(x_.data(), 0, 4, a_));
  check(cudaLaunchHostFunc(
      a_, [](void* n) { ++*static_cast<int*>(n); }, &calls));
  EXPECT_EQ(*host, 20);
  run_graph(2);
  EXPECT_EQ(*host, 83);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(value(), 0);
  check(cudaFreeHost(host));
}

TEST_F(graphs, external_events_get_a_time_at_each_launch) {
  const event_handle from, to;
  begin();
  check(cudaEventRecordWithFlags(from, a_, cudaEventRecordExternal));
  check(cudaLaunchHostFunc(
      a_, [](void*) { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }, nullptr));
  check(cudaEventRecordWithFlags(to, a_, cudaEventRecordExternal));
  check(end());
  check(cudaGraphInstantiate(&executable_, graph_));
  for (const bool lazy : {false, true}) {
    stand_in_settings().lazy_streams = lazy;
    check(cudaGraphLaunch(executable_, a_));
    float ms = 0;
    EXPECT_EQ(cudaEventElapsedTime(&ms, from, to), lazy ? cudaErrorNotReady : cudaSuccess);
    check(cudaEventSynchronize(to));
    check(cudaEventElapsedTime(&ms, from, to));
    EXPECT_GE(ms, 2);
  }
  EXPECT_EQ(cudaGetLastError(), cudaErrorNotReady);
  check(cudaGraphExecDestroy(executable_));
  check(cudaGraphDestroy(graph_));
}

TEST_F(graphs, a_graph_may_be_captured_into_another) {
  begin();
  add(3, 0, a_);
  check(end());
  check(cudaGraphInstantiate(&executable_, graph_));
  check(cudaGraphDestroy(graph_));
  const cudaGraphExec_t inner = executable_;
  begin();
  check(cudaGraphLaunch(inner, a_));
  add(1, 4, a_);
  run_graph(1);
  check(cudaGraphExecDestroy(inner));
  EXPECT_EQ(value(), 7);
}

TEST_F(graphs, calls_that_wait_or_allocate_are_refused_and_spoil_the_capture) {
  void* p = nullptr;
  const event_handle e;
  const auto spoils = [&](auto forbidden) {
    begin();
    EXPECT_EQ(forbidden(), cudaErrorStreamCaptureUnsupported);
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    check(cudaStreamIsCapturing(a_, &status));
    EXPECT_EQ(status, cudaStreamCaptureStatusInvalidated);
    EXPECT_EQ(launch(add_kernel, 1, 32, 0, a_, {x_.data(), 1, 1}), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
  };
  spoils([&] { return cudaMalloc(&p, 4); });
  spoils([&] { return cudaHostAlloc(&p, 4, 0); });
  spoils([&] { return cudaStreamSynchronize(a_); });
  spoils([&] { return cudaDeviceSynchronize(); });
  spoils([&] { return cudaEventQuery(e); });
  spoils([&] { return cudaMemcpy(x_.data(), x_.data(), 4, cudaMemcpyDefault); });
  EXPECT_EQ(value(), 1);
}

TEST_F(graphs, the_mode_says_whose_calls_are_refused) {
  const auto elsewhere = [&] {
    cudaError_t e = cudaSuccess;
    std::thread([&] { e = cudaStreamSynchronize(b_); }).join();
    return e;
  };
  begin(cudaStreamCaptureModeThreadLocal);
  EXPECT_EQ(elsewhere(), cudaSuccess);
  check(end());
  check(cudaGraphDestroy(graph_));
  begin(cudaStreamCaptureModeRelaxed);
  EXPECT_EQ(cudaStreamSynchronize(b_), cudaSuccess);
  check(end());
  check(cudaGraphDestroy(graph_));
  begin();
  EXPECT_EQ(elsewhere(), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
}

TEST_F(graphs, captures_stay_apart) {
  check(cudaEventRecord(fork_, b_));
  begin();
  EXPECT_EQ(cudaStreamWaitEvent(a_, fork_), cudaErrorStreamCaptureIsolation);
  EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);

  begin();
  check(cudaEventRecord(fork_, a_));
  check(cudaStreamBeginCapture(b_, cudaStreamCaptureModeGlobal));
  EXPECT_EQ(cudaStreamWaitEvent(b_, fork_), cudaErrorStreamCaptureMerge);
  EXPECT_EQ(cudaStreamEndCapture(b_, &graph_), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(end(), cudaSuccess);
  check(cudaGraphDestroy(graph_));
  EXPECT_EQ(cudaEventQuery(fork_), cudaErrorCapturedEvent);
}

TEST_F(graphs, a_capture_ends_where_it_began) {
  begin();
  join(b_, a_, fork_);
  EXPECT_EQ(cudaStreamEndCapture(b_, &graph_), cudaErrorStreamCaptureUnmatched);
  EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
  begin();
  cudaError_t e = cudaSuccess;
  std::thread([&] { e = end(); }).join();
  EXPECT_EQ(e, cudaErrorStreamCaptureWrongThread);
  EXPECT_EQ(end(), cudaSuccess);
  check(cudaGraphDestroy(graph_));
  EXPECT_EQ(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeGlobal), cudaErrorStreamCaptureUnsupported);
}

TEST_F(graphs, the_null_stream_may_not_order_itself_with_a_capture) {
  const stream_handle blocking(cudaStreamDefault);
  check(cudaStreamBeginCapture(blocking, cudaStreamCaptureModeRelaxed));
  EXPECT_EQ(cudaMemsetAsync(x_.data(), 0, 4, nullptr), cudaErrorStreamCaptureImplicit);
  EXPECT_EQ(cudaStreamEndCapture(blocking, &graph_), cudaErrorStreamCaptureInvalidated);
}

}  // namespace
}  // namespace ess::emulation::test
