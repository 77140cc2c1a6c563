#include "ess_core/device/cuda/kernels/bench/kernel_bench.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>

#include "ess_core/device/cuda/kernels/bench/bench_kernels.h"
#include "ess_core/device/cuda/kernels/index_pages.h"
#include "ess_core/model/presets.h"

namespace ess::ESS_CUDA::bench {
namespace {

int failed = 0;

void fail(State& state, const std::string& what) {
  ++failed;
  state.SkipWithError(what.c_str());
}

std::uint32_t next_seed() {
  static std::uint32_t seed = 0;
  return ++seed;
}

bytes random_words(std::int64_t n_bytes, std::int32_t period, std::int32_t codes_end,
                   std::int32_t scales_end) {
  bytes out(n_bytes);
  constexpr std::uint32_t scale = 0x3b800000;  // 2^-8
  check("launch of fill_words", fill_words({.words = reinterpret_cast<std::uint32_t*>(out.data()),
                                            .count = out.byte_size() / 4,
                                            .period = period,
                                            .codes_end = codes_end,
                                            .scales_end = scales_end,
                                            .scale = scale,
                                            .seed = next_seed()},
                                           nullptr));
  return out;
}

// As many as last about batch_ms, in whole rounds. `each`: seconds.
std::int64_t launches_in_batch(double each, std::int64_t round) {
  if (options().tiny) return round;
  const double wanted = std::clamp(options().batch_ms * 1e-3 / std::max(each, 1e-6), 4.0, 2000.0);
  return (static_cast<std::int64_t>(wanted) + round - 1) / round * round;
}

// Some launches, ready to be made again and again.
class launch_batch {
 public:
  launch_batch(const launcher& launch, std::int64_t round) : launch_(launch) {
    check("cudaDeviceSynchronize", cudaDeviceSynchronize());  // operands are there
    const std::int64_t first = sized(3, 1);
    make(first);  // code is loaded
    on_.synchronize();
    const event start(event::timing::on), stop(event::timing::on);
    start.record(on_);
    make(first);
    stop.record(on_);
    stop.synchronize();
    size_ = launches_in_batch(stop.since(start).count() * 1e-6 / static_cast<double>(first), round);
    if (options().graphs) graph_ = graph(on_, [&] { make(size_); });
  }

  [[nodiscard]] std::int64_t size() const { return size_; }

  // Seconds that the batch takes: the median of some, of which all wait on the device before the first ends.
  [[nodiscard]] double time() {
    std::vector<event> ends;
    for (std::int64_t i = 0; i <= sized(3, 1); ++i) ends.emplace_back(event::timing::on);
    for (const event& end : ends) {
      run();
      end.record(on_);
    }
    ends.back().synchronize();
    std::vector<double> seconds;
    for (std::size_t i = 1; i < ends.size(); ++i)
      seconds.push_back(ends[i].since(ends[i - 1]).count() * 1e-6);
    std::ranges::sort(seconds);
    return seconds[seconds.size() / 2];
  }

 private:
  void make(std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) check("launch", launch_(i, on_.get()));
  }
  void run() {
    if (graph_) {
      graph_.launch(on_);
    } else {
      make(size_);
    }
  }

  const launcher& launch_;
  stream on_;
  graph graph_;
  std::int64_t size_ = 0;
};

double floor_of(const kernel_work& w) {
  return std::max(bytes_of(w) / machine().copy, w.operations / machine().products);
}

void report(State& state, const kernel_work& work, double floor_seconds, double seconds) {
  const std::array<std::pair<const char*, double>, 6> counters = {
      {{"bytes", bytes_of(work)},
       {"operations", work.operations},
       {"GB_per_s", bytes_of(work) / seconds * 1e-9},
       {"TFLOP_per_s", work.operations / seconds * 1e-12},
       {"floor_us", floor_seconds * 1e6},
       {"share_of_floor", floor_seconds / seconds}}};
  for (const auto& [name, value] : counters) {
    if (!std::isfinite(value)) return fail(state, fmt::format("{} is {}", name, value));
    state.counters[name] = value;
  }
}

}  // namespace

run_options& options() {
#ifdef ESSBENCH_CUDA_EMULATED
  static run_options o{.tiny = true};
#else
  static run_options o;
#endif
  return o;
}

const model_dims& model() {
  static const model_dims m = *find_model_preset(options().tiny ? "tiny_moe" : "deepseek_v3_2");
  return m;
}

// The last is a batch of the one before with one draft token a request.
std::vector<batch_size> batch_sizes() {
  if (options().tiny) return {{2, 1}, {3, 2}};
  return {{16, 1}, {64, 1}, {160, 1}, {160, 2}};
}

array<float> random_floats(std::int64_t n) {
  array<float> out(n);
  check("launch of fill_floats", fill_floats({out.data(), n, next_seed()}, nullptr));
  return out;
}

bytes random_codes(std::int64_t n) { return random_words(n, 1, 1, 1); }
bytes random_bf16(std::int64_t n_bytes) { return random_words(n_bytes, 1, 0, 0); }

bytes random_rows(std::int64_t rows, std::int64_t row_bytes) {
  return random_words(rows * row_bytes, static_cast<std::int32_t>(row_bytes / 4), 128, 132);
}

bytes random_pages(std::int64_t tokens) {
  const std::int64_t pages = (tokens + index_page_tokens - 1) / index_page_tokens;
  return random_words(pages * index_page_bytes, index_page_bytes / 4, index_scales_at / 4,
                      index_page_bytes / 4);
}

std::int64_t copies_beyond_cache(double size) {
  const double wanted = options().tiny ? 0 : 6.0 * static_cast<double>(machine().l2_bytes);
  return std::clamp(static_cast<std::int64_t>(std::ceil(wanted / std::max(size, 1.0))), std::int64_t{2},
                    std::int64_t{1024});
}

std::vector<seat_state> seats_at(std::int32_t seats, token_id position, std::int64_t device_rows,
                                 std::int64_t index_tokens) {
  std::vector<seat_state> out;
  for (std::int32_t i = 0; i < seats; ++i)
    out.push_back({.request = i,
                   .home = i,
                   .position = position,
                   .new_tokens = 1,
                   .index_base = i * index_tokens,
                   .device_base = i * device_rows,
                   .device_rows = device_rows});
  return out;
}

void time_launches(State& state, const kernel_work& work, double floor_seconds, std::int64_t round,
                   const launcher& launch) {
  launch_batch batch(launch, round);
  double seconds = 0;
  std::int64_t launches = 0;
  while (state.KeepRunningBatch(batch.size())) {
    const double taken = batch.time();
    state.SetIterationTime(taken);
    seconds += taken;
    launches += batch.size();
  }
  report(state, work, floor_seconds, seconds / static_cast<double>(launches));
}

void time_launches(State& state, const kernel_work& work, std::int64_t round, const launcher& launch) {
  time_launches(state, work, floor_of(work), round, launch);
}

void add(const std::string& name, const std::function<void(State&)>& body) {
  const auto run = [body](State& state) {
    try {
      body(state);
    } catch (const std::exception& e) {
      fail(state, e.what());
    }
  };
  benchmark::RegisterBenchmark(name.c_str(), run)->UseManualTime()->Unit(benchmark::kMicrosecond);
}

int failures() { return failed; }

}  // namespace ess::ESS_CUDA::bench
