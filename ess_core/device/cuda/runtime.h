// The CUDA runtime with owners and exceptions: move-only handles, and calls whose failure cannot be missed.
#pragma once

#include <cstddef>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "ess_core/base/units.h"
#include "ess_core/device/cuda/cuda_gpu.h"
#include "ess_core/device/cuda/platform.h"

namespace ess::ESS_CUDA {

// A call of the runtime failed. `what()` has the call, CUDA's text for the error and where it was made.
class cuda_error : public std::runtime_error {
 public:
  cuda_error(std::string_view call, cudaError_t error, const std::source_location& where);
  [[nodiscard]] cudaError_t code() const { return code_; }

 private:
  cudaError_t code_;
};

// Throws cuda_error. `call` says what was asked: "cudaMemcpyAsync of 12 rows".
void check(std::string_view call, cudaError_t error,
           const std::source_location& where = std::source_location::current());

namespace detail {
// Says on stderr what a destructor must not throw.
void log_failure(std::string_view call, cudaError_t error) noexcept;

struct destroy {
  void operator()(cudaStream_t s) const noexcept;
  void operator()(cudaEvent_t e) const noexcept;
  void operator()(cudaGraphExec_t g) const noexcept;
};
template <class Handle>
using owner = std::unique_ptr<std::remove_pointer_t<Handle>, destroy>;
}  // namespace detail

// Makes `ordinal` the device of this thread while it lives.
class device_guard {
 public:
  explicit device_guard(int ordinal);
  device_guard(const device_guard&) = delete;
  device_guard& operator=(const device_guard&) = delete;
  ~device_guard();

 private:
  int before_ = 0;
};

// Does not wait for the legacy default stream, nor that for it.
class stream {
 public:
  stream();
  [[nodiscard]] cudaStream_t get() const { return handle_.get(); }
  void synchronize() const;

 private:
  detail::owner<cudaStream_t> handle_;
};

class event {
 public:
  enum class timing { off, on };
  explicit event(timing t);
  [[nodiscard]] cudaEvent_t get() const { return handle_.get(); }
  void record(const stream& on) const;
  void synchronize() const;
  // From an earlier event to this one; both have happened, and both have timing.
  [[nodiscard]] microseconds since(const event& earlier) const;

 private:
  detail::owner<cudaEvent_t> handle_;
};

// Work that was captured, ready to be launched as one.
class graph {
 public:
  graph() = default;
  // Captures what `record` launches on `on` and on streams that it makes wait for `on`.
  template <class Record>
  graph(const stream& on, const Record& record) {
    begin(on);
    try {
      record();
    } catch (...) {
      abandon(on);
      throw;
    }
    end(on);
  }
  void launch(const stream& on) const;
  explicit operator bool() const { return handle_ != nullptr; }

 private:
  static void begin(const stream& on);
  static void abandon(const stream& on) noexcept;
  void end(const stream& on);

  detail::owner<cudaGraphExec_t> handle_;
};

// Device memory. Fresh memory holds anything.
class device_memory {
 public:
  device_memory() = default;
  explicit device_memory(std::size_t bytes);  // throws cuda_error
  [[nodiscard]] std::byte* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct release {
    void operator()(std::byte* p) const noexcept;
  };
  std::unique_ptr<std::byte, release> data_;
  std::size_t size_ = 0;
};

// Page-locked host memory that kernels can reach. `on_host` and `on_device` are two addresses of the same
// bytes.
class pinned_memory {
 public:
  pinned_memory() = default;
  // On the NUMA node next to the current device, where the system has several and says which.
  explicit pinned_memory(std::size_t bytes);
  [[nodiscard]] std::byte* on_host() const { return data_.get(); }
  [[nodiscard]] std::byte* on_device() const { return on_device_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct release {
    void operator()(std::byte* p) const noexcept;
  };
  std::unique_ptr<std::byte, release> data_;
  std::byte* on_device_ = nullptr;
  std::size_t size_ = 0;
};

// 0 where there is no driver.
[[nodiscard]] int device_count();
[[nodiscard]] cuda_gpu describe_gpu(int ordinal);
[[nodiscard]] byte_count free_device_memory();

}  // namespace ess::ESS_CUDA
