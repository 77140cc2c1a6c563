// What the benchmarks of the CUDA kernels share: memory with values in it, timing by events, and the floors
// of the same run that times are compared with.
#pragma once

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ess_core/device/cuda/kernels/kernel_work.h"
#include "ess_core/device/cuda/kernels/lanes.h"
#include "ess_core/device/cuda/kernels/precision.h"
#include "ess_core/device/cuda/runtime.h"
#include "ess_core/model/dims.h"

namespace ess::ESS_CUDA::bench {

using benchmark::State;

struct run_options {
  bool tiny = false;   // shapes that the stand-in gets through in seconds, and no more launches than needed
  bool graphs = true;  // a batch of launches is one graph, as a step is; or each is made by itself
  double batch_ms = 4.0;  // about as long is a batch of launches
};
run_options& options();
// DeepSeek-V3.2, or a tiny model.
const model_dims& model();
[[nodiscard]] inline std::int64_t sized(std::int64_t real, std::int64_t tiny) {
  return options().tiny ? tiny : real;
}

// What this machine reaches with a plain copy and with nothing but products, measured before the benchmarks.
struct machine_rates {
  double copy = 0;                   // B/s of device memory, bytes read and bytes written both counted
  double products = 0;               // FLOP/s of bf16 mma.sync
  double link_in = 0, link_out = 0;  // B/s of cudaMemcpyAsync from and to page-locked memory
  std::int64_t l2_bytes = 0;
};
// Also as context of the results.
void measure_machine();
const machine_rates& machine();

// Requests and their query tokens in a step.
struct batch_size {
  std::int32_t seats, queries;
  [[nodiscard]] std::int32_t lanes() const { return seats * queries; }
};
[[nodiscard]] std::vector<batch_size> batch_sizes();

// Device memory, zero at first.
template <class T>
class array {
 public:
  explicit array(std::int64_t n)
      : bytes_((static_cast<std::size_t>(n) * sizeof(T) + 15) / 16 * 16), size_(n) {
    if (bytes_.size() > 0) check("cudaMemset", cudaMemset(bytes_.data(), 0, bytes_.size()));
  }
  explicit array(const std::vector<T>& values) : array(static_cast<std::int64_t>(values.size())) {
    check("cudaMemcpy",
          cudaMemcpy(bytes_.data(), values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice));
  }
  [[nodiscard]] T* data() const { return reinterpret_cast<T*>(bytes_.data()); }
  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] std::int64_t byte_size() const { return static_cast<std::int64_t>(bytes_.size()); }
  [[nodiscard]] std::vector<T> values() const {
    std::vector<T> out(static_cast<std::size_t>(size_));
    check("cudaDeviceSynchronize", cudaDeviceSynchronize());
    check("cudaMemcpy", cudaMemcpy(out.data(), data(), out.size() * sizeof(T), cudaMemcpyDeviceToHost));
    return out;
  }

 private:
  device_memory bytes_;
  std::int64_t size_;
};

using bytes = array<std::uint8_t>;
[[nodiscard]] array<float> random_floats(std::int64_t n);
[[nodiscard]] bytes random_codes(std::int64_t n);  // e4m3
[[nodiscard]] bytes random_bf16(std::int64_t n_bytes);
[[nodiscard]] bytes random_rows(std::int64_t rows, std::int64_t row_bytes);  // packed latents
[[nodiscard]] bytes random_pages(std::int64_t tokens);                       // of index keys

// How many copies of `size` bytes no cache holds together.
[[nodiscard]] std::int64_t copies_beyond_cache(double size);

// Requests at `position`, each with extents of its own of so many rows and index tokens.
[[nodiscard]] std::vector<seat_state> seats_at(std::int32_t seats, token_id position,
                                               std::int64_t device_rows = 0, std::int64_t index_tokens = 0);
[[nodiscard]] inline lane_slice all_lanes(const seat_state* seats, batch_size b) {
  return {seats, 0, b.seats, b.queries};
}

// The i-th of some launches.
using launcher = std::function<cudaError_t(std::int64_t i, cudaStream_t on)>;

// Times launches 0, 1, ... in whole rounds of `round`, over and over, and reports the mean of one: bytes,
// operations and what share of its time `floor_seconds` is.
void time_launches(State& state, const kernel_work& work, double floor_seconds, std::int64_t round,
                   const launcher& launch);
// The floor is what device memory or the tensor cores need.
void time_launches(State& state, const kernel_work& work, std::int64_t round, const launcher& launch);
[[nodiscard]] inline double bytes_of(const kernel_work& w) { return w.bytes_read + w.bytes_written; }

// What `body` throws fails the benchmark and the run.
void add(const std::string& name, const std::function<void(State&)>& body);
[[nodiscard]] int failures();

[[nodiscard]] inline const char* name_of(precision p) {
  return p == precision::f32_like ? "f32_like" : "bf16";
}

void add_linear();
void add_attention();
void add_indexer();
void add_resolve();
void add_rows();
void add_elementwise();
void add_experts();
void release_host_store();  // of the benchmarks of rows

}  // namespace ess::ESS_CUDA::bench
