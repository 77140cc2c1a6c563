// The floors of all that is measured.
#include <algorithm>
#include <tuple>
#include <utility>

#include "ess_core/device/cuda/kernels/bench/bench_kernels.h"
#include "ess_core/device/cuda/kernels/bench/kernel_bench.h"

namespace ess::ESS_CUDA::bench {
namespace {

machine_rates rates;

// Of the quickest of some, in seconds; `work` launches on the stream.
template <class Work>
double shortest(const Work& work) {
  const stream on;
  work(on);
  on.synchronize();
  double best = 1e30;
  for (int i = 0; i < (options().tiny ? 1 : 5); ++i) {
    const event start(event::timing::on), stop(event::timing::on);
    start.record(on);
    work(on);
    stop.record(on);
    stop.synchronize();
    best = std::min(best, stop.since(start).count() * 1e-6);
  }
  return std::max(best, 1e-9);
}

double copy_rate() {
  const auto size = static_cast<std::size_t>(sized(std::int64_t{1} << 30, 1 << 16));
  const device_memory from(size), to(size);
  check("cudaMemset", cudaMemset(from.data(), 0x5a, size));
  constexpr int copies = 3;
  const double seconds = shortest([&](const stream& on) {
    for (int i = 0; i < copies; ++i)
      check("cudaMemcpyAsync within the device",
            cudaMemcpyAsync(to.data(), from.data(), size, cudaMemcpyDeviceToDevice, on.get()));
  });
  return 2.0 * copies * static_cast<double>(size) / seconds;
}

double product_rate_of(int multiprocessors) {
  const auto blocks = static_cast<std::int32_t>(sized(2 * multiprocessors, 1));
  const array<float> out(std::int64_t{blocks} * 256);
  const product_rate_params p{out.data(), blocks, static_cast<std::int32_t>(sized(20'000, 2))};
  const double seconds =
      shortest([&](const stream& on) { check("launch of product_rate", product_rate(p, on.get())); });
  return operations_of(p) / seconds;
}

std::pair<double, double> link_rates() {
  const auto size = static_cast<std::size_t>(sized(256'000'000, 1 << 16));
  const device_memory device(size);
  const pinned_memory host(size);
  const auto rate = [&](void* to, const void* from, cudaMemcpyKind kind) {
    return static_cast<double>(size) / shortest([&](const stream& on) {
             check("cudaMemcpyAsync over the link", cudaMemcpyAsync(to, from, size, kind, on.get()));
           });
  };
  return {rate(device.data(), host.on_host(), cudaMemcpyHostToDevice),
          rate(host.on_host(), device.data(), cudaMemcpyDeviceToHost)};
}

void say(const char* key, double value) { benchmark::AddCustomContext(key, fmt::format("{:.1f}", value)); }

}  // namespace

const machine_rates& machine() { return rates; }

void measure_machine() {
  const cuda_gpu gpu = describe_gpu(0);
  int l2 = 0;
  check("cudaDeviceGetAttribute", cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, 0));
  rates.l2_bytes = l2;
  std::tie(rates.link_in, rates.link_out) = link_rates();
  rates.copy = copy_rate();
  rates.products = product_rate_of(gpu.multiprocessors);
  benchmark::AddCustomContext("gpu", gpu.name);
  benchmark::AddCustomContext("multiprocessors", std::to_string(gpu.multiprocessors));
  say("l2_MB", static_cast<double>(l2) * 1e-6);
  say("copy_GB_per_s", rates.copy * 1e-9);
  say("bf16_products_TFLOP_per_s", rates.products * 1e-12);
  say("link_in_GB_per_s", rates.link_in * 1e-9);
  say("link_out_GB_per_s", rates.link_out * 1e-9);
}

}  // namespace ess::ESS_CUDA::bench
