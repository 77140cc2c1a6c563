// From index query to attention: scores, top-k, where the rows lie, attention over them.
#include "ess_core/device/cuda/context.h"
#include "ess_core/device/cuda/kernels/attend.h"
#include "ess_core/device/cuda/kernels/index_codec.h"
#include "ess_core/device/cuda/kernels/merge.h"
#include "ess_core/device/cuda/kernels/resolve.h"
#include "ess_core/device/cuda/kernels/score_keys.h"
#include "ess_core/device/cuda/kernels/select_topk.h"

namespace ess::ESS_CUDA {
namespace {

std::int64_t second_part(const context& c) { return c.lanes() * c.model().heads; }

}  // namespace

void append_key(context& c, const operation& op, const stream& on) {
  check("launch of append_keys", append_keys({.lanes = c.lanes_of(op.slice),
                                              .keys = c.at<std::uint8_t>(buffer_id::index_key_new),
                                              .pages = c.index_pages_of(op.layer)},
                                             on.get()));
}

// The grid covers the longest context that there may be, whatever a step's requests have: so a graph of it
// stays true as they grow.
void score_index_keys(context& c, const operation& op, const stream& on) {
  check("launch of score_keys", score_keys({.lanes = c.lanes_of(op.slice),
                                            .heads = c.model().index_heads,
                                            .query = c.at<std::uint8_t>(buffer_id::index_query),
                                            .weight = c.at<float>(buffer_id::index_weight),
                                            .pages = c.index_pages_of(op.layer),
                                            .scores = c.at<float>(buffer_id::scores),
                                            .max_context = c.layout.max_context,
                                            .max_keys = c.layout.max_context,
                                            .path = score_path::bf16},
                                           on.get()));
}

void select_rows(context& c, const operation& op, const stream& on) {
  check("launch of select_topk", select_topk({.lanes = c.lanes_of(op.slice),
                                              .scores = c.at<float>(buffer_id::scores),
                                              .max_context = c.layout.max_context,
                                              .max_keys = c.layout.max_context,
                                              .k = c.model().top_k,
                                              .ids = c.selected_of(op.layer),
                                              .scratch = c.topk_scratch.data()},
                                             on.get()));
}

void resolve_rows(context& c, const operation& op, const stream& on) {
  check("launch of resolve", resolve({.lanes = c.lanes_of(op.slice),
                                      .rows = c.rows_of(op.layer),
                                      .kind = c.layout.pool,
                                      .pools = c.pools_of(op.layer),
                                      .top_k = c.model().top_k,
                                      .selected = c.selected_of(op.layer),
                                      .locations = c.at<row_location>(buffer_id::locations),
                                      .misses = c.at<std::uint8_t>(buffer_id::misses),
                                      .misses_per_seat = c.misses_per_seat(),
                                      .counters = c.counters_of(op.layer)},
                                     on.get()));
}

void attend_rows(context& c, const operation& op, const stream& on) {
  const model_dims& m = c.model();
  const std::int64_t first = op.part == row_part::incoming ? second_part(c) : 0;
  check("launch of attend", attend({.lanes = c.lanes_of(op.slice),
                                    .rows = c.rows_of(op.layer),
                                    .terms = precision::f32_like,
                                    .addressing = op.addressing,
                                    .part = op.part,
                                    .heads = m.heads,
                                    .kv_lora = m.kv_lora,
                                    .rope = m.rope,
                                    .top_k = m.top_k,
                                    .scale = static_cast<float>(m.softmax_scale()),
                                    .query = c.at<float>(buffer_id::query),
                                    .selected = c.selected_of(op.layer),
                                    .locations = c.at<row_location>(buffer_id::locations),
                                    .out = c.at<float>(buffer_id::attention, first * m.kv_lora),
                                    .lse = c.at<float>(buffer_id::lse, first),
                                    .scratch = reinterpret_cast<std::uint8_t*>(c.attend_scratch.data())},
                                   on.get()));
}

void merge_parts(context& c, const operation& op, const stream& on) {
  const model_dims& m = c.model();
  check("launch of merge", merge({.lanes = c.lanes_of(op.slice),
                                  .heads = m.heads,
                                  .kv_lora = m.kv_lora,
                                  .out = c.at<float>(buffer_id::attention),
                                  .lse = c.at<float>(buffer_id::lse),
                                  .out_2 = c.at<float>(buffer_id::attention, second_part(c) * m.kv_lora),
                                  .lse_2 = c.at<float>(buffer_id::lse, second_part(c))},
                                 on.get()));
}

}  // namespace ess::ESS_CUDA
