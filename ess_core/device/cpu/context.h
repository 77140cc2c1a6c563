// What the operations of the CPU device work on.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "ess_core/cache/sparse_pool.h"
#include "ess_core/communicator/communicator.h"
#include "ess_core/device/cpu/arena.h"
#include "ess_core/device/cpu/link.h"
#include "ess_core/device/cpu/stream_executor.h"
#include "ess_core/device/cpu/weights.h"
#include "ess_core/device/cpu/worker_team.h"
#include "ess_core/device/device.h"

namespace ess::cpu {

inline constexpr std::size_t buffer_count = static_cast<std::size_t>(buffer_id::expert_output) + 1;

// Rows that one expert of this rank has to compute, all from one rank.
struct expert_segment {
  std::int32_t expert;
  std::int64_t first;  // of expert_input and expert_output
  std::int32_t count;
};

struct context {
  memory_layout layout;
  std::uint64_t seed = 0;
  std::shared_ptr<const model_weights> weights;
  std::array<aligned_bytes, buffer_count> buffers;
  // Scratch of the compute stream, [lanes][widest] f32 each: an operation's normalised input and its wide
  // result.
  aligned_bytes narrow, wide;
  std::vector<aligned_bytes> thread_scratch;     // one per compute thread: attention, top-k
  std::vector<std::int32_t> copy_from, copy_to;  // of the copy stream: rows of one gather
  std::vector<float> rope_cos, rope_sin;         // [max context][rope / 2]
  std::vector<std::int64_t> first_row;           // [copies] of `latents`
  std::vector<std::int64_t> first_pool_byte;     // [layers]
  worker_team& team;
  paced_link link;
  upcoming next_on_link;  // after the operation that the copy stream is at
  // Experts.
  communicator* ranks = nullptr;  // null: all are here
  expert_range experts_here;
  std::vector<std::int32_t> arrived_counts;  // [seats][ranks][held], at a slice's first seat
  aligned_bytes network_scratch;             // [hidden] f32, of the network stream
  expert_traffic traffic;                    // of the running step

  [[nodiscard]] const model_dims& model() const { return layout.model; }
  [[nodiscard]] std::int32_t queries() const { return layout.shape.query_tokens; }
  [[nodiscard]] std::int64_t lanes() const { return std::int64_t{layout.shape.seats} * queries(); }
  [[nodiscard]] std::int64_t row_bytes() const { return model().latent_row_bytes().value; }

  template <class T>
  [[nodiscard]] T* at(buffer_id buffer, std::int64_t element = 0) const {
    return reinterpret_cast<T*>(buffers[static_cast<std::size_t>(buffer)].data()) + element;
  }
  [[nodiscard]] float* narrow_scratch() const { return reinterpret_cast<float*>(narrow.data()); }
  [[nodiscard]] float* wide_scratch() const { return reinterpret_cast<float*>(wide.data()); }

  [[nodiscard]] const seat_state& seat(std::int32_t index) const {
    return at<seat_state>(buffer_id::seats)[index];
  }
  [[nodiscard]] const seat_state& seat_of_lane(std::int64_t lane) const {
    return seat(static_cast<std::int32_t>(lane / queries()));
  }
  [[nodiscard]] token_id position_of_lane(std::int64_t lane) const {
    return seat_of_lane(lane).position + static_cast<token_id>(lane % queries());
  }
  [[nodiscard]] const float* cos_of(token_id position) const {
    return rope_cos.data() + std::ptrdiff_t{position} * (model().rope / 2);
  }
  [[nodiscard]] const float* sin_of(token_id position) const {
    return rope_sin.data() + std::ptrdiff_t{position} * (model().rope / 2);
  }

  // First byte of the request's rows in the copy of `latents` that serves `layer`, in staging, in the host
  // store.
  [[nodiscard]] std::uint8_t* device_rows(const seat_state& seat, std::int32_t layer) const {
    const std::int32_t copy = layer % layout.latent_copies;
    const std::int64_t row =
        first_row[static_cast<std::size_t>(copy)] + layout.rows_in(copy, seat.device_base);
    return at<std::uint8_t>(buffer_id::latents, row * row_bytes());
  }
  // Locations from here on are staging rows.
  [[nodiscard]] std::int64_t held_rows(const seat_state& seat, std::int32_t layer) const {
    return layout.rows_in(layer % layout.latent_copies, seat.device_rows);
  }
  [[nodiscard]] std::uint8_t* staging_rows(const seat_state& seat) const {
    return at<std::uint8_t>(buffer_id::staging, seat.staging_base * row_bytes());
  }
  [[nodiscard]] std::uint8_t* host_rows(const seat_state& seat, std::int32_t layer) const {
    return at<std::uint8_t>(buffer_id::host_latents,
                            (layer * layout.host_rows + seat.host_base) * layout.host_row_pitch);
  }
  // Of the one request that lands.
  [[nodiscard]] std::uint8_t* landed_rows(std::int32_t layer) const {
    return at<std::uint8_t>(buffer_id::landing, layer * layout.landing_rows * row_bytes());
  }
  // Where a location (flag or not) lies.
  [[nodiscard]] std::uint8_t* row_at(const seat_state& seat, std::int32_t layer,
                                     row_location location) const {
    const std::int64_t row = location & ~incoming_flag;
    const std::int64_t held = held_rows(seat, layer);
    return row < held ? device_rows(seat, layer) + row * row_bytes()
                      : staging_rows(seat) + (row - held) * row_bytes();
  }
  [[nodiscard]] std::uint8_t* index_pages(const seat_state& seat, std::int32_t layer) const {
    return at<std::uint8_t>(buffer_id::index_keys, (layer * layout.index_tokens + seat.index_base) *
                                                       model().index_key_bytes().value);
  }
  [[nodiscard]] row_counters& counters(std::int32_t seat, std::int32_t layer) const {
    return at<row_counters>(buffer_id::counters)[std::int64_t{layer} * layout.shape.seats + seat];
  }
  [[nodiscard]] token_id* selected(std::int64_t lane, std::int32_t layer) const {
    return at<token_id>(buffer_id::selected, (layer * lanes() + lane) * model().top_k);
  }

  // The misses of a seat: their number, then the list.
  [[nodiscard]] std::int64_t misses_per_seat() const { return queries() * (model().top_k + std::int64_t{1}); }
  [[nodiscard]] std::int32_t& miss_count(std::int32_t seat) const {
    return *reinterpret_cast<std::int32_t*>(
        at<std::byte>(buffer_id::misses, seat * (misses_per_seat() + 1) * 8));
  }
  [[nodiscard]] row_miss* misses(std::int32_t seat) const {
    return reinterpret_cast<row_miss*>(
        at<std::byte>(buffer_id::misses, (seat * (misses_per_seat() + 1) + 1) * 8));
  }

  [[nodiscard]] pool_view pool(const seat_state& seat, std::int32_t layer) const;
  [[nodiscard]] token_id* candidates(std::int32_t seat, std::int32_t layer) const {
    return at<token_id>(buffer_id::candidates,
                        (std::int64_t{layer} * layout.shape.seats + seat) * layout.prefetch_rows);
  }

  // Calls work(seat index, thread) for the seats of a slice, work(lane, thread) for its lanes.
  template <class Work>
  void for_each_seat(batch_slice slice, const Work& work) {
    team.for_each(slice.count, [&](std::int32_t i, int thread) { work(slice.first + i, thread); });
  }
  template <class Work>
  void for_each_lane(batch_slice slice, const Work& work) {
    team.for_each(slice.count * queries(), [&](std::int32_t i, int thread) {
      work(std::int64_t{slice.first} * queries() + i, thread);
    });
  }
};

// Operations, by file: projections.cpp, experts.cpp, selection.cpp, movement.cpp.
void project_index(context& c, const operation& op);
void project_attention(context& c, const operation& op);
void output(context& c, const operation& op);
void feed_forward(context& c, const operation& op);
void draft(context& c, const operation& op);

void route(context& c, const operation& op);
void dispatch(context& c, const operation& op);
void experts(context& c, const operation& op);
void combine(context& c, const operation& op);

void append_key(context& c, const operation& op);
void score_keys(context& c, const operation& op);
void select_topk(context& c, const operation& op);
void resolve_rows(context& c, const operation& op);
void attend_rows(context& c, const operation& op);
void merge_parts(context& c, const operation& op);
void select_next(context& c, const operation& op);

void read_back(context& c, const operation& op);
void append_row(context& c, const operation& op);
void write_back(context& c, const operation& op);
void fetch(context& c, const operation& op);
void fetch_by_call(context& c, const operation& op);
void stream_layer(context& c, const operation& op);
void prefetch(context& c, const operation& op);
void fill_pool(context& c, const operation& op);
void take_landed(context& c, const operation& op);
void store_landed(context& c, const operation& op);

}  // namespace ess::cpu
