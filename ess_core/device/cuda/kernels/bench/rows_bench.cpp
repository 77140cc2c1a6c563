// Rows over the link, scattered in page-locked memory, and new rows to their places.
#include <algorithm>
#include <cstring>
#include <optional>

#include "ess_core/base/random.h"
#include "ess_core/device/cuda/kernels/bench/kernel_bench.h"
#include "ess_core/device/cuda/kernels/flash_gather.h"
#include "ess_core/device/cuda/kernels/flash_scatter.h"

namespace ess::ESS_CUDA::bench {
namespace {

constexpr std::int32_t gather_seats = 32;

// Far more than a cache of either side holds.
const pinned_memory& host_store(bool release = false) {
  static std::optional<pinned_memory> store;
  static const pinned_memory none;
  if (release) return store.reset(), none;
  if (!store) store.emplace(static_cast<std::size_t>(sized(std::int64_t{4} << 30, 1 << 20)));
  return *store;
}

std::uint8_t* host_rows() { return reinterpret_cast<std::uint8_t*>(host_store().on_device()); }
std::int64_t host_tokens(std::int32_t seats, std::int64_t pitch) {
  return static_cast<std::int64_t>(host_store().size()) / (seats * pitch);
}

struct gather_shape {
  std::int32_t rows = static_cast<std::int32_t>(sized(16'384, 128));  // of all requests
  std::int32_t row_bytes = 656;
  std::int64_t pitch = row_bytes;
  std::int32_t blocks = 16;

  [[nodiscard]] std::int32_t rows_a_seat() const { return rows / gather_seats; }
};

// Lists of misses, one after the other: tokens anywhere in the request's part of the store, slots anywhere in
// its pool.
class miss_lists {
 public:
  miss_lists(const gather_shape& s, std::int64_t lists, std::int64_t tokens, std::int32_t slots)
      : list_bytes_(gather_seats * (s.rows_a_seat() + std::int64_t{1}) * 8) {
    const counter_rng rng(1, purpose::microbenchmark, 300);
    std::vector<std::uint8_t> all(static_cast<std::size_t>(lists * list_bytes_));
    std::uint8_t* to = all.data();
    for (std::int64_t seat = 0; seat < lists * gather_seats; ++seat) {
      const std::int32_t count = s.rows_a_seat();
      std::memcpy(to, &count, sizeof count);
      to += 8;
      for (std::int32_t n = 0; n < count; ++n, to += 8) {
        const auto index = static_cast<std::uint64_t>(seat * count + n);
        const row_miss miss{static_cast<token_id>(rng.below(static_cast<std::uint64_t>(tokens), index)),
                            static_cast<row_location>((n * std::int64_t{1229} + seat) % slots)};
        std::memcpy(to, &miss, sizeof miss);
      }
    }
    memory_.emplace(all);
  }
  [[nodiscard]] const std::uint8_t* list(std::int64_t i) const { return memory_->data() + i * list_bytes_; }

 private:
  std::int64_t list_bytes_;
  std::optional<bytes> memory_;
};

void run_gather(State& state, const gather_shape& s) {
  const auto slots =
      static_cast<std::int32_t>(sized(8'192, 64));  // a power of two: misses of a list differ in slot
  const double size = 1.0 * s.rows * s.row_bytes;
  const std::int64_t lists =
      options().tiny ? 2 : std::clamp<std::int64_t>(copies_beyond_cache(size), 8, 1024);
  const std::int64_t tokens = host_tokens(gather_seats, s.pitch);
  std::vector<seat_state> states = seats_at(gather_seats, 0, slots);
  for (seat_state& seat : states) seat.host_base = seat.home * tokens;
  const array seats(states);
  const miss_lists misses(s, lists, tokens, slots);
  const bytes latents(std::int64_t{gather_seats} * slots * s.row_bytes);
  const array<row_counters> counters(gather_seats);
  gather_params p{.lanes = all_lanes(seats.data(), {gather_seats, 1}),
                  .rows = {latents.data(), nullptr, s.row_bytes, 65536},
                  .from = {host_rows(), s.pitch, true},
                  .misses = nullptr,
                  .misses_per_seat = s.rows_a_seat(),
                  .counters = counters.data(),
                  .blocks = s.blocks};
  kernel_work work = work_of_gather(s.rows, s.row_bytes);
  work.bytes_written = 0;  // what crosses the link is counted
  time_launches(state, work, work.bytes_read / machine().link_in, lists,
                [&](std::int64_t i, cudaStream_t on) {
                  p.misses = misses.list(i % lists);
                  return flash_gather(p, on);
                });
}

void add_gather(const gather_shape& s) {
  add(fmt::format("flash_gather/rows:{}/row_bytes:{}/pitch:{}/blocks:{}", s.rows, s.row_bytes, s.pitch,
                  s.blocks),
      [=](State& state) { run_gather(state, s); });
}

void run_scatter(State& state, batch_size b) {
  const std::int64_t row_bytes = model().latent_row_bytes().value;
  const std::int64_t tokens = host_tokens(b.seats, row_bytes), steps = sized(256, 2);
  const counter_rng rng(1, purpose::microbenchmark, 301);
  std::vector<seat_state> states;  // [steps][seats]
  for (std::int64_t step = 0; step < steps; ++step)
    for (seat_state seat : seats_at(b.seats, 0)) {
      const auto last = static_cast<std::uint64_t>(tokens - b.queries);
      seat.position = static_cast<token_id>(rng.below(last, states.size()));
      seat.host_base = seat.home * tokens;
      states.push_back(seat);
    }
  const array seats(states);
  const bytes rows = random_rows(b.lanes(), row_bytes);
  const array<row_counters> counters(b.seats);
  kernel_work work = work_of_scatter(b.lanes(), static_cast<std::int32_t>(row_bytes));
  work.bytes_read = 0;
  time_launches(state, work, work.bytes_written / machine().link_out, steps,
                [&](std::int64_t i, cudaStream_t on) {
                  return flash_scatter({.lanes = all_lanes(seats.data() + i % steps * b.seats, b),
                                        .latent_new = rows.data(),
                                        .row_bytes = static_cast<std::int32_t>(row_bytes),
                                        .host_rows = host_rows(),
                                        .pitch = row_bytes,
                                        .counters = counters.data()},
                                       on);
                });
}

void run_append(State& state, batch_size b) {
  const std::int64_t row_bytes = model().latent_row_bytes().value, slots = sized(6'554, 40);
  const array seats(seats_at(b.seats, 0, slots));
  std::vector<pool_header> headers(static_cast<std::size_t>(b.seats));
  for (std::size_t i = 0; i < headers.size(); ++i)
    for (std::size_t q = 0; q < max_query_tokens; ++q)
      headers[i].new_rows[q] = static_cast<row_location>((i * 37 + q) % static_cast<std::size_t>(slots));
  const array header_array(headers);
  const bytes latents(b.seats * slots * row_bytes);
  const bytes rows = random_rows(b.lanes(), row_bytes);
  const append_rows_params p{.lanes = all_lanes(seats.data(), b),
                             .rows = {latents.data(), nullptr, static_cast<std::int32_t>(row_bytes), 65536},
                             .addressing = row_addressing::by_location,
                             .headers = header_array.data(),
                             .latent_new = rows.data()};
  const double moved = 1.0 * b.lanes() * static_cast<double>(row_bytes);
  time_launches(state, {moved, moved, 0}, 1,
                [&](std::int64_t, cudaStream_t on) { return append_rows(p, on); });
}

template <class T>
std::vector<T> sized_list(std::vector<T> real, std::vector<T> tiny) {
  return options().tiny ? tiny : real;
}

}  // namespace

void add_rows() {
  for (const std::int32_t rows :
       sized_list<std::int32_t>({64, 256, 1'024, 2'048, 4'096, 16'384, 65'536}, {64, 96}))
    add_gather({.rows = rows});
  for (const std::int64_t pitch : {672, 704, 768, 1'024}) add_gather({.pitch = pitch});
  for (const std::int32_t row_bytes : {576, 1'152}) add_gather({.row_bytes = row_bytes});
  for (const std::int32_t rows : sized_list<std::int32_t>({2'048, 16'384}, {64}))
    for (const std::int32_t blocks : {4, 8, 32, 64, 132}) add_gather({.rows = rows, .blocks = blocks});
  for (const batch_size b : batch_sizes()) {
    const std::string lanes = fmt::format("lanes:{}", b.lanes());
    add("flash_scatter/" + lanes, [=](State& state) { run_scatter(state, b); });
    add("append_rows/" + lanes, [=](State& state) { run_append(state, b); });
  }
}

void release_host_store() { (void)host_store(true); }

}  // namespace ess::ESS_CUDA::bench
