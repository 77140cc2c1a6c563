// Rows on the move: within the device, and over the link in both directions.
#include <cstring>

#include "ess_core/device/cpu/context.h"
#include "ess_core/device/cpu/kernels/row_copy.h"

namespace ess::cpu {
namespace {

// The rows that a seat misses, one after the other; `copy` moves one.
template <class Copy>
std::int64_t for_each_miss(context& c, const operation& op, const Copy& copy) {
  std::int64_t rows = 0;
  for (std::int32_t i = op.slice.first; i < op.slice.first + op.slice.count; ++i) {
    const seat_state& seat = c.seat(i);
    for (std::int32_t n = 0; n < c.miss_count(i); ++n) copy(seat, c.misses(i)[n]);
    c.counters(i, op.layer).rows_in += c.miss_count(i);
    rows += c.miss_count(i);
  }
  return rows;
}

struct row_source {
  const std::uint8_t* rows;  // of a request, by token
  std::int64_t pitch;
};

// Another core attends to them.
void copy_listed_rows(context& c, row_source from, std::uint8_t* to) {
  copy_rows({.from = from.rows,
             .from_pitch = from.pitch,
             .from_rows = c.copy_from.data(),
             .to = to,
             .to_pitch = c.row_bytes(),
             .to_rows = c.copy_to.data(),
             .n = static_cast<std::int64_t>(c.copy_from.size()),
             .row_bytes = c.row_bytes(),
             .stores = row_stores::streaming});
}

// Brings the rows of all slots; returns how many.
std::int64_t gather_pool(context& c, const operation& op, std::int32_t index, row_source from) {
  const seat_state& seat = c.seat(index);
  const pool_view pool = c.pool(seat, op.layer);
  c.copy_from.clear();
  c.copy_to.clear();
  for (std::int32_t slot = 0; slot < pool.header->used; ++slot) {
    c.copy_from.push_back(pool.token_of[static_cast<std::size_t>(slot)]);
    c.copy_to.push_back(slot);
  }
  copy_listed_rows(c, from, c.device_rows(seat, op.layer));
  c.counters(index, op.layer).rows_in += pool.header->used;
  return pool.header->used;
}

// The first `n` rows, each at its pitch.
void copy_block(std::uint8_t* to, std::int64_t to_pitch, row_source from, std::int64_t n,
                std::int64_t row_bytes) {
  if (to_pitch == row_bytes && from.pitch == row_bytes) {
    std::memcpy(to, from.rows, static_cast<std::size_t>(n * row_bytes));
    return;
  }
  for (std::int64_t row = 0; row < n; ++row) {
    std::memcpy(to + row * to_pitch, from.rows + row * from.pitch, static_cast<std::size_t>(row_bytes));
  }
}

}  // namespace

// The host learns which rows are missing: one small copy.
void read_back(context& c, const operation& op) {
  const auto start = paced_link::clock::now();
  std::int64_t bytes = 0;
  for (std::int32_t i = op.slice.first; i < op.slice.first + op.slice.count; ++i) {
    bytes += c.miss_count(i) * static_cast<std::int64_t>(sizeof(row_miss));
  }
  c.link.finish(start, {.bytes = {bytes}, .by = transfer::way::copy});
}

void append_row(context& c, const operation& op) {
  c.for_each_lane(op.slice, [&](std::int64_t lane, int) {
    const seat_state& seat = c.seat_of_lane(lane);
    const auto query = static_cast<std::size_t>(lane % c.queries());
    const row_location location = op.addressing == row_addressing::by_token
                                      ? c.position_of_lane(lane)
                                      : c.pool(seat, op.layer).header->new_rows[query];
    std::memcpy(c.row_at(seat, op.layer, location),
                c.at<std::uint8_t>(buffer_id::latent_new, (op.layer * c.lanes() + lane) * c.row_bytes()),
                static_cast<std::size_t>(c.row_bytes()));
  });
}

void write_back(context& c, const operation& op) {
  const auto start = paced_link::clock::now();
  const std::int64_t first = std::int64_t{op.slice.first} * c.queries();
  const std::int64_t count = std::int64_t{op.slice.count} * c.queries();
  c.copy_from.clear();
  c.copy_to.clear();
  for (std::int64_t lane = first; lane < first + count; ++lane) {
    c.copy_from.push_back(static_cast<std::int32_t>(lane));
    c.copy_to.push_back(static_cast<std::int32_t>(c.seat_of_lane(lane).host_base + c.position_of_lane(lane)));
    ++c.counters(static_cast<std::int32_t>(lane / c.queries()), op.layer).rows_out;
  }
  copy_rows({.from = c.at<std::uint8_t>(buffer_id::latent_new, op.layer * c.lanes() * c.row_bytes()),
             .from_pitch = c.row_bytes(),
             .from_rows = c.copy_from.data(),
             .to = c.at<std::uint8_t>(buffer_id::host_latents,
                                      op.layer * c.layout.host_rows * c.layout.host_row_pitch),
             .to_pitch = c.layout.host_row_pitch,
             .to_rows = c.copy_to.data(),
             .n = count,
             .row_bytes = c.row_bytes(),
             .stores = row_stores::streaming});
  c.link.finish(start, {.bytes = {count * c.row_bytes()}});
}

void fetch(context& c, const operation& op) {
  const auto start = paced_link::clock::now();
  std::int64_t rows = 0;
  for (std::int32_t i = op.slice.first; i < op.slice.first + op.slice.count; ++i) {
    const seat_state& seat = c.seat(i);
    const std::int64_t held = c.held_rows(seat, op.layer);
    const std::int32_t misses = c.miss_count(i);
    // Rows for the pool and rows for staging have different homes: two gathers, the second mostly empty.
    for (const bool staged : {false, true}) {
      c.copy_from.clear();
      c.copy_to.clear();
      for (std::int32_t n = 0; n < misses; ++n) {
        const row_miss& miss = c.misses(i)[n];
        if ((miss.location >= held) != staged) continue;
        c.copy_from.push_back(miss.token);
        c.copy_to.push_back(static_cast<std::int32_t>(miss.location - (staged ? held : 0)));
      }
      copy_listed_rows(c, {c.host_rows(seat, op.layer), c.layout.host_row_pitch},
                       staged ? c.staging_rows(seat) : c.device_rows(seat, op.layer));
    }
    c.counters(i, op.layer).rows_in += misses;
    rows += misses;
  }
  c.link.finish(start, {.bytes = {rows * c.row_bytes()}});
}

// The best candidates of all seats first; in small pieces, so that whoever wants the link waits for one at
// most.
void prefetch(context& c, const operation& op) {
  constexpr std::int64_t piece = 8;
  auto start = paced_link::clock::now();
  std::int64_t rows = 0;
  for (std::int32_t rank = 0; rank < c.layout.prefetch_rows; ++rank) {
    for (std::int32_t i = op.slice.first; i < op.slice.first + op.slice.count; ++i) {
      if (rows == 0 && c.next_on_link.is_due()) return;
      const seat_state& seat = c.seat(i);
      const token_id token = c.candidates(i, op.layer)[rank];
      if (token < 0 || token >= seat.position) continue;  // the step's own rows are not in the host store yet
      row_counters& counters = c.counters(i, op.layer);
      const auto slot = admit_ahead(c.pool(seat, op.layer), token, counters.ahead_lost);
      if (!slot) continue;
      std::memcpy(c.row_at(seat, op.layer, *slot),
                  c.host_rows(seat, op.layer) + std::int64_t{token} * c.layout.host_row_pitch,
                  static_cast<std::size_t>(c.row_bytes()));
      ++counters.ahead_in;
      if (++rows < piece) continue;
      c.link.finish_asleep(start, {.bytes = {rows * c.row_bytes()}});
      start = paced_link::clock::now();
      rows = 0;
    }
  }
  if (rows > 0) c.link.finish_asleep(start, {.bytes = {rows * c.row_bytes()}});
}

void fill_pool(context& c, const operation& op) {
  const auto start = paced_link::clock::now();
  std::int64_t rows = 0;
  for (std::int32_t i = op.slice.first; i < op.slice.first + op.slice.count; ++i) {
    rows += gather_pool(c, op, i, {c.host_rows(c.seat(i), op.layer), c.layout.host_row_pitch});
  }
  c.link.finish(start, {.bytes = {rows * c.row_bytes()}});
}

void take_landed(context& c, const operation& op) {
  for (std::int32_t i = op.slice.first; i < op.slice.first + op.slice.count; ++i) {
    gather_pool(c, op, i, {c.landed_rows(op.layer), c.row_bytes()});
  }
}

void fetch_by_call(context& c, const operation& op) {
  const auto start = paced_link::clock::now();
  const std::int64_t rows = for_each_miss(c, op, [&](const seat_state& seat, const row_miss& miss) {
    std::memcpy(c.row_at(seat, op.layer, miss.location),
                c.host_rows(seat, op.layer) + std::int64_t{miss.token} * c.layout.host_row_pitch,
                static_cast<std::size_t>(c.row_bytes()));
  });
  c.link.finish(start, {.bytes = {rows * c.row_bytes()}, .calls = rows, .by = transfer::way::copy});
}

// All rows that the layer had before this step, one large copy a request.
void stream_layer(context& c, const operation& op) {
  const auto start = paced_link::clock::now();
  std::int64_t rows = 0;
  for (std::int32_t i = op.slice.first; i < op.slice.first + op.slice.count; ++i) {
    const seat_state& seat = c.seat(i);
    copy_block(c.device_rows(seat, op.layer), c.row_bytes(),
               {c.host_rows(seat, op.layer), c.layout.host_row_pitch}, seat.position, c.row_bytes());
    c.counters(i, op.layer).rows_in += seat.position;
    rows += seat.position;
  }
  c.link.finish(start, {.bytes = {rows * c.row_bytes()}, .calls = op.slice.count, .by = transfer::way::copy});
}

// One large copy a request: all rows that it had before its first step.
void store_landed(context& c, const operation& op) {
  const auto start = paced_link::clock::now();
  std::int64_t rows = 0;
  for (std::int32_t i = op.slice.first; i < op.slice.first + op.slice.count; ++i) {
    const seat_state& seat = c.seat(i);
    copy_block(c.host_rows(seat, op.layer), c.layout.host_row_pitch, {c.landed_rows(op.layer), c.row_bytes()},
               seat.position, c.row_bytes());
    rows += seat.position;
  }
  c.link.finish(start, {.bytes = {rows * c.row_bytes()}, .calls = op.slice.count, .by = transfer::way::copy});
}

}  // namespace ess::cpu
