// Rows on the move: within the device, and over the link in both directions.
#include <cstring>
#include <vector>

#include "ess_core/device/cuda/context.h"
#include "ess_core/device/cuda/kernels/flash_gather.h"
#include "ess_core/device/cuda/kernels/flash_scatter.h"
#include "ess_core/device/cuda/kernels/row_counts.h"

namespace ess::ESS_CUDA {
namespace {

std::int64_t record_bytes(const context& c) { return (c.misses_per_seat() + 1) * 8; }

void count_rows(const context& c, const operation& op, const std::uint8_t* misses, const stream& on) {
  check("launch of count_rows_in", count_rows_in({.lanes = c.lanes_of(op.slice),
                                                  .misses = misses,
                                                  .misses_per_seat = c.misses_per_seat(),
                                                  .counters = c.counters_of(op.layer)},
                                                 on.get()));
}

// The first `n` rows, each at its pitch: one call of a copy engine.
void copy_block(std::uint8_t* to, std::int64_t to_pitch, const std::uint8_t* from, std::int64_t from_pitch,
                std::int64_t n, std::int64_t row_bytes, cudaMemcpyKind kind, const stream& on) {
  if (n == 0) return;
  const auto size = [](std::int64_t bytes) { return static_cast<std::size_t>(bytes); };
  if (to_pitch == row_bytes && from_pitch == row_bytes) {
    check("cudaMemcpyAsync of rows", cudaMemcpyAsync(to, from, size(n * row_bytes), kind, on.get()));
  } else {
    check("cudaMemcpy2DAsync of rows", cudaMemcpy2DAsync(to, size(to_pitch), from, size(from_pitch),
                                                         size(row_bytes), size(n), kind, on.get()));
  }
}

const std::uint8_t* host_rows_of(const context& c, const seat_state& seat, std::int32_t layer) {
  return reinterpret_cast<const std::uint8_t*>(c.host_latents.on_host()) +
         (layer * c.layout.host_rows + seat.host_base) * c.layout.host_row_pitch;
}

void copy_together(std::vector<void*>& to, std::vector<const void*>& from, std::size_t bytes,
                   const stream& on) {
  if (to.empty()) return;
#if CUDART_VERSION >= 13000
  std::vector<std::size_t> sizes(to.size(), bytes);
  cudaMemcpyAttributes as_in_the_stream{};
  as_in_the_stream.srcAccessOrder = cudaMemcpySrcAccessOrderStream;
  std::size_t from_first = 0;
  check("cudaMemcpyBatchAsync of rows", cudaMemcpyBatchAsync(to.data(), from.data(), sizes.data(), to.size(),
                                                             &as_in_the_stream, &from_first, 1, on.get()));
#else
  (void)bytes, (void)on, (void)from;
  throw unsupported("this build's CUDA runtime has no cudaMemcpyBatchAsync as CUDA 13 has it");
#endif
}

void bring_pool(context& c, const operation& op, const row_source& from, const stream& on) {
  check("launch of gather_pool", gather_pool({.lanes = c.lanes_of(op.slice),
                                              .rows = c.rows_of(op.layer),
                                              .from = from,
                                              .pools = c.pools_of(op.layer),
                                              .counters = c.counters_of(op.layer),
                                              .blocks = c.gather_blocks()},
                                             on.get()));
}

template <class Work>
void for_each_seat(const context& c, const operation& op, const Work& work) {
  for (std::int32_t i = op.slice.first; i < op.slice.first + op.slice.count; ++i)
    work(i, c.seats[static_cast<std::size_t>(i)]);
}

}  // namespace

// The host learns which rows are missing: it waits for one small copy.
void read_back_misses(context& c, const operation& op, const stream& on) {
  const std::int64_t first = op.slice.first * record_bytes(c);
  check("cudaMemcpyAsync of lists of misses",
        cudaMemcpyAsync(c.read_back.on_host() + first, c.at<std::byte>(buffer_id::misses, first),
                        static_cast<std::size_t>(op.slice.count * record_bytes(c)), cudaMemcpyDeviceToHost,
                        on.get()));
  on.synchronize();
}

void append_row(context& c, const operation& op, const stream& on) {
  const bool by_token = op.addressing == row_addressing::by_token;
  check("launch of append_rows", append_rows({.lanes = c.lanes_of(op.slice),
                                              .rows = c.rows_of(op.layer),
                                              .addressing = op.addressing,
                                              .headers = by_token ? nullptr : c.pools_of(op.layer).headers,
                                              .latent_new = c.latent_new_of(op.layer)},
                                             on.get()));
}

void write_back(context& c, const operation& op, const stream& on) {
  check("launch of flash_scatter", flash_scatter({.lanes = c.lanes_of(op.slice),
                                                  .latent_new = c.latent_new_of(op.layer),
                                                  .row_bytes = c.row_bytes(),
                                                  .host_rows = c.host_rows_of(op.layer),
                                                  .pitch = c.layout.host_row_pitch,
                                                  .counters = c.counters_of(op.layer)},
                                                 on.get()));
}

void fetch(context& c, const operation& op, const stream& on) {
  check("launch of flash_gather", flash_gather({.lanes = c.lanes_of(op.slice),
                                                .rows = c.rows_of(op.layer),
                                                .from = c.host_source(op.layer),
                                                .misses = c.at<std::uint8_t>(buffer_id::misses),
                                                .misses_per_seat = c.misses_per_seat(),
                                                .counters = c.counters_of(op.layer),
                                                .blocks = c.gather_blocks()},
                                               on.get()));
}

// One copy a row, from the lists that read_back_misses brought: a call each, or one call for all.
void fetch_by_call(context& c, const operation& op, const stream& on) {
  std::vector<void*> to;
  std::vector<const void*> from;
  for_each_seat(c, op, [&](std::int32_t i, const seat_state& seat) {
    const std::byte* record = c.read_back.on_host() + i * record_bytes(c);
    std::int32_t count = 0;
    std::memcpy(&count, record, sizeof count);
    const std::uint8_t* rows = host_rows_of(c, seat, op.layer);
    for (std::int32_t n = 0; n < count; ++n) {
      row_miss miss{};
      std::memcpy(&miss, record + 8 + n * std::int64_t{sizeof miss}, sizeof miss);
      const row_place place = place_of(c.layout, seat, op.layer, miss.location);
      to.push_back(c.at<std::byte>(place.buffer, place.row * c.row_bytes()));
      from.push_back(rows + miss.token * std::int64_t{c.layout.host_row_pitch});
    }
  });
  const auto bytes = static_cast<std::size_t>(c.row_bytes());
  if (c.batched_copies) {
    copy_together(to, from, bytes, on);
  } else {
    for (std::size_t i = 0; i < to.size(); ++i)
      check("cudaMemcpyAsync of a row",
            cudaMemcpyAsync(to[i], from[i], bytes, cudaMemcpyHostToDevice, on.get()));
  }
  count_rows(c, op, c.at<std::uint8_t>(buffer_id::misses), on);
}

// All rows that the layer had before this step, one large copy a request.
void stream_layer(context& c, const operation& op, const stream& on) {
  for_each_seat(c, op, [&](std::int32_t, const seat_state& seat) {
    const row_place to = place_of(c.layout, seat, op.layer, 0);
    copy_block(c.at<std::uint8_t>(to.buffer, to.row * c.row_bytes()), c.row_bytes(),
               host_rows_of(c, seat, op.layer), c.layout.host_row_pitch, seat.position, c.row_bytes(),
               cudaMemcpyHostToDevice, on);
  });
  count_rows(c, op, nullptr, on);
}

void fill_pool(context& c, const operation& op, const stream& on) {
  bring_pool(c, op, c.host_source(op.layer), on);
}

void take_landed(context& c, const operation& op, const stream& on) {
  bring_pool(c, op, c.landing_source(op.layer), on);
}

// One large copy a request: all rows that it had before its first step.
void store_landed(context& c, const operation& op, const stream& on) {
  for_each_seat(c, op, [&](std::int32_t, const seat_state& seat) {
    copy_block(const_cast<std::uint8_t*>(host_rows_of(c, seat, op.layer)), c.layout.host_row_pitch,
               c.landing_source(op.layer).rows, c.row_bytes(), seat.position, c.row_bytes(),
               cudaMemcpyDeviceToHost, on);
  });
}

}  // namespace ess::ESS_CUDA
