// Device memory of a test, and whether there is a device to test.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <stdexcept>
#include <vector>

#include "ess_core/device/cuda/platform.h"
#ifdef ESSBENCH_CUDA_EMULATED
#include "ess_core/device/cuda/emulation/stand_in.h"
#endif

namespace ess::ESS_CUDA::test {

inline void check(cudaError_t e) {
  if (e != cudaSuccess) throw std::runtime_error(cudaGetErrorString(e));
}

// A fixture that skips where nothing can run.
class on_device : public testing::Test {
 protected:
  void SetUp() override {
#ifdef ESSBENCH_CUDA_EMULATED
    emulation::reset();  // of an error that a test left
#endif
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
      (void)cudaGetLastError();
      GTEST_SKIP() << "no CUDA device here";
    }
  }
};

// n values; what was not given is NaN bytes.
template <class T>
class device_array {
 public:
  explicit device_array(std::size_t n) : size_(n) {
    check(cudaMalloc(reinterpret_cast<void**>(&data_), (n == 0 ? 1 : n) * sizeof(T)));
    check(cudaMemset(data_, 0xff, n * sizeof(T)));
  }
  explicit device_array(const std::vector<T>& values) : device_array(values.size()) {
    check(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  device_array(const device_array&) = delete;
  device_array& operator=(const device_array&) = delete;
  ~device_array() { (void)cudaFree(data_); }

  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  // After everything that was launched.
  [[nodiscard]] std::vector<T> values() const {
    check(cudaDeviceSynchronize());
    std::vector<T> out(size_);
    check(cudaMemcpy(out.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
    return out;
  }

 private:
  T* data_ = nullptr;
  std::size_t size_;
};

}  // namespace ess::ESS_CUDA::test
