// From index query to attention: scores, top-k, where the rows lie, attention over them.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "ess_core/device/cpu/context.h"
#include "ess_core/device/cpu/kernels/attend.h"
#include "ess_core/device/cpu/kernels/merge.h"
#include "ess_core/device/cpu/kernels/score_keys.h"
#include "ess_core/device/cpu/kernels/select_topk.h"
#include "ess_core/layout/index_key.h"

namespace ess::cpu {
namespace {

// Without a pool, or with one.
void resolve_seat(context& c, std::int32_t index, std::int32_t layer, resolve_output& out) {
  const token_id* ids = c.selected(std::int64_t{index} * c.queries(), layer);
  if (c.layout.pool == pool_kind::none) return stage_all({ids, out.locations.size()}, c.queries(), out);
  const seat_state& seat = c.seat(index);
  const std::int64_t last_lane = (std::int64_t{index} + 1) * c.queries() - 1;
  resolve(c.pool(seat, layer),
          {.selected = {ids, out.locations.size()},
           .query_tokens = c.queries(),
           .first_new = seat.position,
           .new_tokens = seat.new_tokens,
           .scores = {c.at<float>(buffer_id::scores, last_lane * c.layout.max_context),
                      static_cast<std::size_t>(c.position_of_lane(last_lane)) + 1},
           .draws = counter_rng(c.seed, purpose::eviction, static_cast<std::uint32_t>(layer)),
           .first_draw = static_cast<std::uint64_t>(seat.request) << 32},
          out);
}

// Pointers to the selected rows of a lane that belong to `op.part`; the others are null, which attention
// skips.
void collect_rows(const context& c, const operation& op, std::int64_t lane, const std::uint8_t** rows) {
  const seat_state& seat = c.seat_of_lane(lane);
  const token_id* ids = c.selected(lane, op.layer);
  const row_location* locations = c.at<row_location>(buffer_id::locations, lane * c.model().top_k);
  for (std::int32_t rank = 0; rank < c.model().top_k; ++rank) {
    rows[rank] = nullptr;
    if (ids[rank] < 0) continue;
    if (op.addressing == row_addressing::by_token) {
      rows[rank] = c.device_rows(seat, op.layer) + ids[rank] * c.row_bytes();
      continue;
    }
    const bool incoming = (locations[rank] & incoming_flag) != 0;
    if (op.part == row_part::all || incoming == (op.part == row_part::incoming)) {
      rows[rank] = c.row_at(seat, op.layer, locations[rank]);
    }
  }
}

std::int64_t attention_at(const context& c, row_part part, std::int64_t lane) {
  return ((part == row_part::incoming ? c.lanes() : 0) + lane) * c.model().heads;
}

}  // namespace

void append_key(context& c, const operation& op) {
  const std::int64_t bytes = c.model().index_key_bytes().value;
  const auto dim = static_cast<std::size_t>(c.model().index_dim);
  c.for_each_lane(op.slice, [&](std::int64_t lane, int) {
    const std::uint8_t* key = c.at<std::uint8_t>(buffer_id::index_key_new, lane * bytes);
    float scale = 0;
    std::memcpy(&scale, key + dim, sizeof scale);
    const index_page_format format{.dim = c.model().index_dim};
    const token_id position = c.position_of_lane(lane);
    pack_index_key({key, dim}, scale, position,
                   {c.index_pages(c.seat_of_lane(lane), op.layer),
                    static_cast<std::size_t>(format.bytes_for(position + std::int64_t{1}))});
  });
}

void score_keys(context& c, const operation& op) {
  const model_dims& m = c.model();
  c.for_each_lane(op.slice, [&](std::int64_t lane, int) {
    score_keys({.query = c.at<std::uint8_t>(buffer_id::index_query, lane * m.index_heads * m.index_dim),
                .weight = c.at<float>(buffer_id::index_weight, lane * m.index_heads),
                .pages = c.index_pages(c.seat_of_lane(lane), op.layer),
                .keys = c.position_of_lane(lane) + std::int64_t{1},
                .heads = m.index_heads,
                .scores = c.at<float>(buffer_id::scores, lane * c.layout.max_context)});
  });
}

void select_topk(context& c, const operation& op) {
  c.for_each_lane(op.slice, [&](std::int64_t lane, int thread) {
    select_topk({.scores = c.at<float>(buffer_id::scores, lane * c.layout.max_context),
                 .n = c.position_of_lane(lane) + 1,
                 .k = c.model().top_k,
                 .ids = c.selected(lane, op.layer),
                 .scratch = c.thread_scratch[static_cast<std::size_t>(thread)].data()});
  });
}

// By the scores of the last query token, as the next step's selection will most resemble its own. Of equal
// scores the smaller id comes first.
void select_next(context& c, const operation& op) {
  const std::int32_t top_k = c.model().top_k;
  const std::int32_t wanted = top_k + c.layout.prefetch_rows;
  const std::size_t ids_bytes = (static_cast<std::size_t>(wanted) * sizeof(token_id) + 63) / 64 * 64;
  c.for_each_seat(op.slice, [&](std::int32_t index, int thread) {
    const std::int64_t lane = (std::int64_t{index} + 1) * c.queries() - 1;
    const float* scores = c.at<float>(buffer_id::scores, lane * c.layout.max_context);
    std::byte* scratch = c.thread_scratch[static_cast<std::size_t>(thread)].data();
    auto* more = reinterpret_cast<token_id*>(scratch);
    select_topk({.scores = scores,
                 .n = c.position_of_lane(lane) + 1,
                 .k = wanted,
                 .ids = more,
                 .scratch = scratch + ids_bytes});
    token_id* out = c.candidates(index, op.layer);
    const auto end = std::find(more, more + wanted, -1);
    const token_id* selected = c.selected(lane, op.layer);
    token_id* const last =
        std::set_difference(more, end, selected, std::find(selected, selected + top_k, -1), out);
    std::sort(out, last, [&](token_id a, token_id b) {
      return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
    });
    std::fill(last, out + c.layout.prefetch_rows, -1);
  });
}

void resolve_rows(context& c, const operation& op) {
  const auto ids = static_cast<std::size_t>(c.queries()) * static_cast<std::size_t>(c.model().top_k);
  c.for_each_seat(op.slice, [&](std::int32_t index, int) {
    const std::int64_t lane = std::int64_t{index} * c.queries();
    resolve_output out{.locations = {c.at<row_location>(buffer_id::locations, lane * c.model().top_k), ids},
                       .misses = {c.misses(index), static_cast<std::size_t>(c.misses_per_seat())}};
    resolve_seat(c, index, op.layer, out);
    c.miss_count(index) = out.missed;
    c.counters(index, op.layer) = {.asked = out.asked,
                                   .hits = out.asked - out.missed,
                                   .misses = out.missed,
                                   .ahead_used = out.ahead.used,
                                   .ahead_lost = out.ahead.lost};
  });
}

void attend_rows(context& c, const operation& op) {
  const model_dims& m = c.model();
  const row_part part = op.part == row_part::incoming ? row_part::incoming : row_part::resident;
  c.for_each_lane(op.slice, [&](std::int64_t lane, int thread) {
    std::byte* scratch = c.thread_scratch[static_cast<std::size_t>(thread)].data();
    const auto** rows = reinterpret_cast<const std::uint8_t**>(scratch);
    collect_rows(c, op, lane, rows);
    const std::int64_t pointers = (m.top_k * std::int64_t{sizeof(void*)} + 63) / 64 * 64;
    attend({.query = c.at<float>(buffer_id::query, lane * m.heads * m.absorbed_dim()),
            .rows = rows,
            .n = m.top_k,
            .heads = m.heads,
            .kv_lora = m.kv_lora,
            .rope = m.rope,
            .scale = static_cast<float>(m.softmax_scale()),
            .out = c.at<float>(buffer_id::attention, attention_at(c, part, lane) * m.kv_lora),
            .lse = c.at<float>(buffer_id::lse, attention_at(c, part, lane)),
            .scratch = scratch + pointers});
  });
}

void merge_parts(context& c, const operation& op) {
  const model_dims& m = c.model();
  c.for_each_lane(op.slice, [&](std::int64_t lane, int) {
    const std::int64_t first = attention_at(c, row_part::resident, lane);
    const std::int64_t second = attention_at(c, row_part::incoming, lane);
    float* out = c.at<float>(buffer_id::attention, first * m.kv_lora);
    float* lse = c.at<float>(buffer_id::lse, first);
    merge({.out = {out, c.at<float>(buffer_id::attention, second * m.kv_lora)},
           .lse = {lse, c.at<float>(buffer_id::lse, second)},
           .heads = m.heads,
           .kv_lora = m.kv_lora,
           .merged = out,
           .merged_lse = lse});
  });
}

}  // namespace ess::cpu
