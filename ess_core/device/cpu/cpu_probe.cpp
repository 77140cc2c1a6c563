// On the CPU device both tiers are one memory: a copy is memcpy, a gather the copy stream's.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "ess_core/base/random.h"
#include "ess_core/device/cpu/arena.h"
#include "ess_core/device/cpu/cpu_device.h"
#include "ess_core/device/cpu/kernels/row_copy.h"
#include "ess_core/device/transfer_probe.h"

namespace ess {
namespace cpu {
namespace {

using clock = std::chrono::steady_clock;

// More than any cache holds, so that rows come from memory.
constexpr std::int64_t store_bytes = std::int64_t{1} << 30;

class cpu_probe final : public transfer_probe {
 public:
  [[nodiscard]] clock_kind clock() const override { return clock_kind::wall; }

  [[nodiscard]] std::vector<microseconds> measure(const transfer& what, int samples) override {
    prepare(what);
    std::vector<microseconds> out;
    for (int i = -1; i < samples; ++i) {
      const auto start = cpu::clock::now();
      run(what);
      if (i >= 0) out.emplace_back(cpu::clock::now() - start);
    }
    return out;
  }

 private:
  void prepare(const transfer& what) {
    const std::int64_t host = std::max(store_bytes, what.bytes);
    if (static_cast<std::int64_t>(host_.size()) < host) {
      host_ = aligned_bytes(static_cast<std::size_t>(host));
      std::memset(host_.data(), 1, host_.size());
    }
    const std::int64_t device = std::max(what.moved(), std::int64_t{1});
    if (static_cast<std::int64_t>(device_.size()) < device) {
      device_ = aligned_bytes(static_cast<std::size_t>(device));
      std::memset(device_.data(), 2, device_.size());
    }
    const counter_rng rng(1, purpose::microbenchmark, 17);
    const auto places = static_cast<std::uint64_t>(store_bytes / std::max(what.row_pitch, 1));
    on_host_.resize(static_cast<std::size_t>(what.rows));
    on_device_.resize(on_host_.size());
    for (std::size_t i = 0; i < on_host_.size(); ++i) {
      on_host_[i] = static_cast<std::int32_t>(rng.below(places, i));
      on_device_[i] = static_cast<std::int32_t>(i);
    }
  }

  [[nodiscard]] std::uint8_t* host() const { return reinterpret_cast<std::uint8_t*>(host_.data()); }
  [[nodiscard]] std::uint8_t* device() const { return reinterpret_cast<std::uint8_t*>(device_.data()); }

  void run(const transfer& what) {
    const auto size = static_cast<std::size_t>(what.bytes);
    switch (what.kind) {
      case transfer_kind::copy_to_device:
        std::memcpy(device(), host(), size);
        return;
      case transfer_kind::copy_to_host:
        std::memcpy(host(), device(), size);
        return;
      case transfer_kind::device_copy:
        std::memcpy(device(), device() + size / 2, size / 2);
        std::memcpy(device() + size / 2, device(), size / 2);
        return;
      case transfer_kind::copy_both: {
        const std::jthread other([&] { std::memcpy(host() + size / 2, device() + size / 2, size / 2); });
        std::memcpy(device(), host(), size / 2);
        return;
      }
      case transfer_kind::small_copies:
        for (std::size_t i = 0; i < on_host_.size(); ++i) {
          std::memcpy(device() + std::int64_t{on_device_[i]} * what.row_bytes,
                      host() + std::int64_t{on_host_[i]} * what.row_pitch,
                      static_cast<std::size_t>(what.row_bytes));
        }
        return;
      case transfer_kind::gather:
      case transfer_kind::scatter: {
        const bool in = what.kind == transfer_kind::gather;
        copy_rows({.from = in ? host() : device(),
                   .from_pitch = in ? what.row_pitch : what.row_bytes,
                   .from_rows = (in ? on_host_ : on_device_).data(),
                   .to = in ? device() : host(),
                   .to_pitch = in ? what.row_bytes : what.row_pitch,
                   .to_rows = (in ? on_device_ : on_host_).data(),
                   .n = what.rows,
                   .row_bytes = what.row_bytes,
                   .stores = row_stores::streaming});
        return;
      }
    }
  }

  aligned_bytes host_, device_;
  std::vector<std::int32_t> on_host_, on_device_;
};

}  // namespace
}  // namespace cpu

std::unique_ptr<transfer_probe> make_cpu_probe() { return std::make_unique<cpu::cpu_probe>(); }

}  // namespace ess
