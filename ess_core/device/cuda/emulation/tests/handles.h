// Streams and events of a test.
#pragma once

#include "ess_core/device/cuda/emulation/tests/support.h"

namespace ess::emulation::test {

class stream_handle {
 public:
  explicit stream_handle(unsigned flags = cudaStreamNonBlocking) {
    check(cudaStreamCreateWithFlags(&s_, flags));
  }
  stream_handle(const stream_handle&) = delete;
  ~stream_handle() { (void)cudaStreamDestroy(s_); }
  operator cudaStream_t() const { return s_; }

 private:
  cudaStream_t s_ = nullptr;
};

class event_handle {
 public:
  explicit event_handle(unsigned flags = cudaEventDefault) { check(cudaEventCreateWithFlags(&e_, flags)); }
  event_handle(const event_handle&) = delete;
  ~event_handle() { (void)cudaEventDestroy(e_); }
  operator cudaEvent_t() const { return e_; }

 private:
  cudaEvent_t e_ = nullptr;
};

}  // namespace ess::emulation::test
