// Transfers between the host's memory and the GPU's, by copy engines and by the kernels that a step uses.
#include <algorithm>
#include <optional>
#include <vector>

#include "ess_core/base/random.h"
#include "ess_core/device/cuda/context.h"
#include "ess_core/device/cuda/cuda_device.h"
#include "ess_core/device/cuda/kernels/flash_gather.h"
#include "ess_core/device/cuda/kernels/flash_scatter.h"
#include "ess_core/device/transfer_probe.h"

namespace ess {
namespace ESS_CUDA {
namespace {

#ifdef ESSBENCH_CUDA_EMULATED
constexpr std::int64_t store_bytes = std::int64_t{1} << 22;
#else
constexpr std::int64_t store_bytes = std::int64_t{4} << 30;
#endif

class gpu_probe final : public transfer_probe {
 public:
  explicit gpu_probe(int ordinal) : on_(ordinal), gpu_(describe_gpu(ordinal)) {
    streams_.emplace_back();
    streams_.emplace_back();
  }

  [[nodiscard]] clock_kind clock() const override {
#ifdef ESSBENCH_CUDA_EMULATED
    return clock_kind::wall;
#else
    return clock_kind::cuda_event;
#endif
  }

  [[nodiscard]] std::vector<microseconds> measure(const transfer& what, int samples) override {
    prepare(what);
    std::vector<microseconds> out;
    for (int i = -1; i < samples; ++i) {
      begin_.record(streams_[0]);
      run(what);
      end_.record(streams_[0]);
      end_.synchronize();
      if (i >= 0) out.push_back(end_.since(begin_));
    }
    return out;
  }

 private:
  void prepare(const transfer& what) {
    const std::int64_t host = std::max(store_bytes, what.bytes);
    if (static_cast<std::int64_t>(host_.size()) < host) {
      host_ = pinned_memory();
      host_ = pinned_memory(static_cast<std::size_t>(host));
    }
    const std::int64_t device = std::max<std::int64_t>(2 * what.bytes, what.moved());
    if (static_cast<std::int64_t>(device_.size()) < device) {
      device_ = device_memory();
      device_ = device_memory(static_cast<std::size_t>(device));
    }
    if (what.rows > 0) lay_out_rows(what);
  }

  // Rows at random places of the store, spread over requests as misses are.
  void lay_out_rows(const transfer& what) {
    const counter_rng rng(1, purpose::microbenchmark, 17);
    const auto places = static_cast<std::uint64_t>(store_bytes / std::max(what.row_pitch, 1));
    const bool by_seat = what.kind == transfer_kind::scatter;
    const std::int32_t seats = by_seat ? what.rows : 1;
    per_seat_ = by_seat ? 0 : what.rows;
    places_.clear();
    std::vector<seat_state> states;
    std::vector<row_miss> misses;
    for (std::int32_t i = 0; i < what.rows; ++i) {
      places_.push_back(static_cast<std::int64_t>(rng.below(places, static_cast<std::uint64_t>(i))));
      misses.push_back({static_cast<token_id>(places_.back()), i});
    }
    for (std::int32_t i = 0; i < seats; ++i)
      states.push_back(
          {.device_rows = what.rows, .host_base = by_seat ? places_[static_cast<std::size_t>(i)] : 0});
    std::vector<std::int64_t> record{what.rows};
    record.resize(1 + misses.size());
    std::copy_n(reinterpret_cast<const std::int64_t*>(misses.data()), misses.size(), record.begin() + 1);
    seats_ = uploaded(std::as_bytes(std::span(states)));
    misses_ = uploaded(std::as_bytes(std::span(record)));
    const std::vector<row_counters> counters(states.size());
    counters_ = uploaded(std::as_bytes(std::span(counters)));
  }

  static device_memory uploaded(std::span<const std::byte> bytes) {
    device_memory out(bytes.size());
    check("cudaMemcpy", cudaMemcpy(out.data(), bytes.data(), bytes.size(), cudaMemcpyHostToDevice));
    return out;
  }

  void copy(void* to, const void* from, std::int64_t bytes, cudaMemcpyKind kind, const stream& on) const {
    check("cudaMemcpyAsync", cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), kind, on.get()));
  }

  void run(const transfer& what) {
    const stream& on = streams_[0];
    const std::int32_t blocks = what.blocks > 0 ? what.blocks : gather_blocks(gpu_.multiprocessors);
    switch (what.kind) {
      case transfer_kind::copy_to_device:
        return copy(device_.data(), host_.on_host(), what.bytes, cudaMemcpyHostToDevice, on);
      case transfer_kind::copy_to_host:
        return copy(host_.on_host(), device_.data(), what.bytes, cudaMemcpyDeviceToHost, on);
      case transfer_kind::device_copy:
        return copy(device_.data(), device_.data() + what.bytes, what.bytes, cudaMemcpyDeviceToDevice, on);
      case transfer_kind::copy_both:
        return copy_both(what.bytes / 2);
      case transfer_kind::small_copies:
        for (std::int32_t i = 0; i < what.rows; ++i) {
          copy(device_.data() + std::int64_t{i} * what.row_bytes,
               host_.on_host() + places_[static_cast<std::size_t>(i)] * what.row_pitch, what.row_bytes,
               cudaMemcpyHostToDevice, on);
        }
        return;
      case transfer_kind::gather:
        check(
            "launch of flash_gather",
            flash_gather(
                {.lanes = lanes(1),
                 .rows = {bytes_of(device_), nullptr, what.row_bytes, static_cast<std::uint32_t>(one_weight)},
                 .from = {reinterpret_cast<const std::uint8_t*>(host_.on_device()), what.row_pitch, true},
                 .misses = bytes_of(misses_),
                 .misses_per_seat = per_seat_,
                 .counters = reinterpret_cast<row_counters*>(counters_.data()),
                 .blocks = blocks},
                on.get()));
        return;
      case transfer_kind::scatter:
        check("launch of flash_scatter",
              flash_scatter({.lanes = lanes(what.rows),
                             .latent_new = bytes_of(device_),
                             .row_bytes = what.row_bytes,
                             .host_rows = reinterpret_cast<std::uint8_t*>(host_.on_device()),
                             .pitch = what.row_pitch,
                             .counters = reinterpret_cast<row_counters*>(counters_.data())},
                            on.get()));
        return;
    }
  }

  // Half of the bytes each way, begun and ended together.
  void copy_both(std::int64_t each) {
    fork_.record(streams_[0]);
    check("cudaStreamWaitEvent", cudaStreamWaitEvent(streams_[1].get(), fork_.get(), 0));
    copy(device_.data(), host_.on_host(), each, cudaMemcpyHostToDevice, streams_[0]);
    copy(host_.on_host() + each, device_.data() + each, each, cudaMemcpyDeviceToHost, streams_[1]);
    fork_.record(streams_[1]);
    check("cudaStreamWaitEvent", cudaStreamWaitEvent(streams_[0].get(), fork_.get(), 0));
  }

  [[nodiscard]] lane_slice lanes(std::int32_t seats) const {
    return {reinterpret_cast<const seat_state*>(seats_.data()), 0, seats, 1};
  }
  static std::uint8_t* bytes_of(const device_memory& m) { return reinterpret_cast<std::uint8_t*>(m.data()); }

  device_guard on_;
  cuda_gpu gpu_;
  std::vector<stream> streams_;
  event begin_{event::timing::on}, end_{event::timing::on}, fork_{event::timing::off};
  pinned_memory host_;
  device_memory device_, seats_, misses_, counters_;
  std::int64_t per_seat_ = 0;
  std::vector<std::int64_t> places_;
};

}  // namespace

std::unique_ptr<transfer_probe> make_probe(int ordinal) { return std::make_unique<gpu_probe>(ordinal); }

}  // namespace ESS_CUDA
}  // namespace ess
