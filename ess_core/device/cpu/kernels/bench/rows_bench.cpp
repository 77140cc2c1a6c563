// Scattered rows against the same bytes in large blocks, out of a host store that no cache holds.
#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include "ess_core/device/cpu/kernels/bench/bench_support.h"
#include "ess_core/device/cpu/kernels/huge_pages.h"
#include "ess_core/device/cpu/kernels/row_copy.h"
#include "ess_core/device/cpu/kernels/row_quant.h"
#include "ess_core/device/cpu/kernels/tests/test_data.h"

namespace ess::cpu::bench {
namespace {

using benchmark::State;

constexpr std::int64_t row_bytes = 656;
constexpr std::int64_t rows_a_call = 2048;
constexpr std::int64_t block_bytes = rows_a_call * row_bytes;
constexpr std::int64_t lists_a_request = 16;  // of a context of 32,768 rows
constexpr std::int64_t requests = 113;
constexpr std::int64_t blocks = requests * lists_a_request;  // 2.26 GiB
constexpr std::int64_t place_blocks = 200;                   // 256 MiB

// No NaN and no subnormal, whatever a byte is read as: those would be unpacked by other and slower paths.
std::uint8_t* touched(const huge_bytes& memory, std::int64_t bytes) {
  auto* data = reinterpret_cast<std::uint8_t*>(memory.get());
  for (std::int64_t i = 0; i < bytes; i += 8) {
    const std::uint64_t mixed = static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15u;
    const std::uint64_t word = (mixed & 0x0f0f0f0f0f0f0f0fu) | 0x3030303030303030u;
    std::memcpy(data + i, &word, sizeof word);
  }
  return data;
}

// Every number from `first` on, n of them, once, in an order fixed by `stream`.
std::vector<std::int32_t> shuffled(std::int64_t first, std::int64_t n, std::uint32_t stream) {
  const counter_rng rng(1, purpose::microbenchmark, stream);
  std::vector<std::int32_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), static_cast<std::int32_t>(first));
  for (std::int64_t i = n - 1; i > 0; --i) {
    const std::uint64_t j = rng.below(static_cast<std::uint64_t>(i) + 1, static_cast<std::uint64_t>(i));
    std::swap(order[static_cast<std::size_t>(i)], order[j]);
  }
  return order;
}

// Lists of rows_a_call rows of one request each, random and in ascending order, as select_topk has them;
// requests follow each other at random.
std::vector<std::int32_t> selected_rows() {
  constexpr std::int64_t context = lists_a_request * rows_a_call;
  std::vector<std::int32_t> all(static_cast<std::size_t>(blocks * rows_a_call));
  const std::vector<std::int32_t> places = shuffled(0, blocks, 22);
  for (std::int64_t request = 0; request < requests; ++request) {
    const auto rows = shuffled(request * context, context, 100 + static_cast<std::uint32_t>(request));
    for (std::int64_t list = 0; list < lists_a_request; ++list) {
      const std::int64_t place = places[static_cast<std::size_t>(request * lists_a_request + list)];
      const auto to = all.begin() + place * rows_a_call;
      std::copy_n(rows.begin() + list * rows_a_call, rows_a_call, to);
      std::sort(to, to + rows_a_call);
    }
  }
  return all;
}

enum class rows { anywhere, of_a_request };
enum class target { reused, fresh };  // the same 1.3 MB each time, or what of 256 MiB was left longest

// The host store, and a second place about as large as the pools of a batch. Rows come in lists of
// rows_a_call; none comes twice before all have come once.
class host_store {
 public:
  static host_store& the() {
    static host_store store;
    return store;
  }

  std::uint8_t* data() const { return data_; }
  std::uint8_t* place() const { return place_; }
  const std::int32_t* next(rows from) {
    return (from == rows::anywhere ? anywhere_ : of_a_request_).data() + next_++ % blocks * rows_a_call;
  }
  std::uint8_t* next_block() {
    return data_ + block_order_[static_cast<std::size_t>(next_++ % blocks)] * block_bytes;
  }
  std::uint8_t* next(target to) {
    return place_ + (to == target::fresh ? next_place_++ % place_blocks * block_bytes : 0);
  }

 private:
  huge_bytes store_ = allocate_huge(blocks * block_bytes);
  huge_bytes second_ = allocate_huge(place_blocks * block_bytes);
  std::uint8_t* data_ = touched(store_, blocks* block_bytes);
  std::uint8_t* place_ = touched(second_, place_blocks* block_bytes);
  std::vector<std::int32_t> anywhere_ = shuffled(0, blocks* rows_a_call, 20);
  std::vector<std::int32_t> of_a_request_ = selected_rows();
  std::vector<std::int32_t> block_order_ = shuffled(0, blocks, 21);
  std::int64_t next_ = 0;
  std::int64_t next_place_ = 0;
};

std::vector<std::int32_t> consecutive() {
  std::vector<std::int32_t> rows(rows_a_call);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

void report_bytes(State& state) { state.SetBytesProcessed(state.iterations() * block_bytes); }

void block_memcpy(State& state, target to) {
  host_store& store = host_store::the();
  for (auto _ : state) {
    std::memcpy(store.next(to), store.next_block(), block_bytes);
    benchmark::ClobberMemory();
  }
  report_bytes(state);
}
BENCHMARK_CAPTURE(block_memcpy, into_reused, target::reused);
BENCHMARK_CAPTURE(block_memcpy, into_fresh, target::fresh);

void block_memcpy_out(State& state) {
  host_store& store = host_store::the();
  for (auto _ : state) {
    std::memcpy(store.next_block(), store.place(), block_bytes);
    benchmark::ClobberMemory();
  }
  report_bytes(state);
}
BENCHMARK(block_memcpy_out);

row_copy_params gather_params(host_store& store, const std::int32_t* list, std::uint8_t* to,
                              row_stores stores) {
  static const std::vector<std::int32_t> in_order = consecutive();
  return {.from = store.data(),
          .from_pitch = row_bytes,
          .from_rows = list,
          .to = to,
          .to_pitch = row_bytes,
          .to_rows = in_order.data(),
          .n = rows_a_call,
          .row_bytes = row_bytes,
          .stores = stores};
}

void gather(State& state, rows from, target to, row_stores stores) {
  host_store& store = host_store::the();
  for (auto _ : state)
    benchmark::DoNotOptimize(copy_rows(gather_params(store, store.next(from), store.next(to), stores)));
  report_bytes(state);
}
BENCHMARK_CAPTURE(gather, anywhere_into_fresh_streaming, rows::anywhere, target::fresh,
                  row_stores::streaming);
BENCHMARK_CAPTURE(gather, anywhere_into_fresh_cached, rows::anywhere, target::fresh, row_stores::cached);
BENCHMARK_CAPTURE(gather, anywhere_into_reused_cached, rows::anywhere, target::reused, row_stores::cached);
BENCHMARK_CAPTURE(gather, selected_into_fresh_streaming, rows::of_a_request, target::fresh,
                  row_stores::streaming);
BENCHMARK_CAPTURE(gather, selected_into_reused_cached, rows::of_a_request, target::reused,
                  row_stores::cached);

void gather_row_by_row(State& state) {
  host_store& store = host_store::the();
  for (auto _ : state) {
    const std::int32_t* list = store.next(rows::anywhere);
    std::uint8_t* to = store.next(target::fresh);
    for (std::int64_t i = 0; i < rows_a_call; ++i)
      std::memcpy(to + i * row_bytes, store.data() + list[i] * row_bytes, row_bytes);
    benchmark::ClobberMemory();
  }
  report_bytes(state);
}
BENCHMARK(gather_row_by_row);

// The gathered rows are read at once, as attention does: what streaming stores cost then.
void gather_and_unpack(State& state, target to, row_stores stores) {
  host_store& store = host_store::the();
  std::array<float, 576> row;
  for (auto _ : state) {
    std::uint8_t* place = store.next(to);
    copy_rows(gather_params(store, store.next(rows::anywhere), place, stores));
    for (std::int64_t i = 0; i < rows_a_call; ++i) {
      unpack_row({.row = place + i * row_bytes,
                  .kv_lora = 512,
                  .rope = 64,
                  .latent = row.data(),
                  .rotary = &row[512]});
      benchmark::DoNotOptimize(row.data());
    }
  }
  report_bytes(state);
}
BENCHMARK_CAPTURE(gather_and_unpack, reused_cached, target::reused, row_stores::cached);
BENCHMARK_CAPTURE(gather_and_unpack, reused_streaming, target::reused, row_stores::streaming);
BENCHMARK_CAPTURE(gather_and_unpack, fresh_cached, target::fresh, row_stores::cached);
BENCHMARK_CAPTURE(gather_and_unpack, fresh_streaming, target::fresh, row_stores::streaming);

void scatter(State& state, row_stores stores) {
  host_store& store = host_store::the();
  const std::vector<std::int32_t> in_order = consecutive();
  for (auto _ : state)
    benchmark::DoNotOptimize(copy_rows({.from = store.place(),
                                        .from_pitch = row_bytes,
                                        .from_rows = in_order.data(),
                                        .to = store.data(),
                                        .to_pitch = row_bytes,
                                        .to_rows = store.next(rows::anywhere),
                                        .n = rows_a_call,
                                        .row_bytes = row_bytes,
                                        .stores = stores}));
  report_bytes(state);
}
BENCHMARK_CAPTURE(scatter, streaming, row_stores::streaming);
BENCHMARK_CAPTURE(scatter, cached, row_stores::cached);

}  // namespace
}  // namespace ess::cpu::bench
