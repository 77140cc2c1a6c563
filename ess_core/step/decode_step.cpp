#include "ess_core/step/decode_step.h"

#include <utility>

namespace ess {
namespace {

void make_draft_input(program_builder& b, std::int32_t layer, batch_slice slice) {
  if (b.model().is_draft_layer(layer)) b.add({.kind = op_kind::draft, .layer = layer, .slice = slice});
}

// Where the tokens leave the rank, two-batch overlap hides both ways of their journey.
void add_feed_forward_part(program_builder& b, std::int32_t layer, batch_slice slice, bool elsewhere) {
  const stream_id journey = elsewhere ? stream_id::network : stream_id::compute;
  b.add({.kind = op_kind::output, .layer = layer, .slice = slice});
  if (!b.model().is_moe_layer(layer)) {
    b.add({.kind = op_kind::feed_forward, .layer = layer, .slice = slice});
    return;
  }
  b.add({.kind = op_kind::route, .layer = layer, .slice = slice});
  b.add({.kind = op_kind::dispatch, .layer = layer, .slice = slice, .stream = journey});
  b.pause();
  b.add({.kind = op_kind::experts, .layer = layer, .slice = slice});
  b.add({.kind = op_kind::combine, .layer = layer, .slice = slice, .stream = journey});
  if (elsewhere) b.pause();
}

overlap_kind kind_of(const overlap_choice& overlap, std::int32_t layer) {
  if (overlap.kind != overlap_kind::layerwise) return overlap.kind;
  const auto at = static_cast<std::size_t>(layer);
  return at < overlap.by_layer.size() ? overlap.by_layer[at] : overlap_kind::da;
}

void add_layers(program_builder& b, const cache_system& system, const overlap_choice& overlap,
                batch_slice slice) {
  for (std::int32_t layer = 0; layer < b.model().layers; ++layer) {
    make_draft_input(b, layer, slice);
    add_attention_part(b, system, effective_overlap(system, kind_of(overlap, layer)), layer, slice);
    add_feed_forward_part(b, layer, slice, overlap.experts_elsewhere);
  }
}

}  // namespace

step_program build_decode_step(const model_dims& model, batch_shape shape, const cache_system& system,
                               const overlap_choice& overlap) {
  program_builder b(model, shape, system.latent_copies(model));
  if (overlap.micro_batches < 2 || shape.seats < 2) {
    add_layers(b, system, overlap, b.whole_batch());
    return std::move(b).finish();
  }
  program_builder other = b;
  const auto halves = halves_of(b.whole_batch());
  add_layers(b, system, overlap, halves[0]);
  add_layers(other, system, overlap, halves[1]);
  // A layer then has three parts: indexer, attention up to dispatch, experts. With one part's lead, dispatch
  // runs under the other half's indexer and combine under its attention; side by side one of them would have
  // no more than the experts to hide under.
  b.take_turns_with(std::move(other), overlap.experts_elsewhere ? 1 : 0);
  return std::move(b).finish();
}

step_program build_warm_up_step(const model_dims& model, batch_shape shape, const cache_system& system,
                                batch_slice slice, warm_up_ids ids) {
  program_builder b(model, shape, system.latent_copies(model));
  for (std::int32_t layer = 0; layer < model.layers; ++layer) {
    if (ids == warm_up_ids::selected) {
      make_draft_input(b, layer, slice);
      b.add({.kind = op_kind::project_index, .layer = layer, .slice = slice});
      b.add({.kind = op_kind::score_keys, .layer = layer, .slice = slice});
      b.add({.kind = op_kind::select_topk, .layer = layer, .slice = slice});
    }
    system.resolve(b, layer, slice);
  }
  return std::move(b).finish();
}

step_program build_fill_pool_step(const model_dims& model, batch_shape shape, const cache_system& system,
                                  batch_slice slice, row_origin origin) {
  program_builder b(model, shape, system.latent_copies(model));
  for (std::int32_t layer = 0; layer < model.layers; ++layer) {
    if (origin == row_origin::landing_area) {
      b.add({.kind = op_kind::take_landed, .layer = layer, .slice = slice});
    } else {
      b.add({.kind = op_kind::fill_pool, .layer = layer, .slice = slice, .stream = stream_id::copy});
    }
  }
  return std::move(b).finish();
}

step_program build_store_landed_step(const model_dims& model, batch_shape shape, const cache_system& system,
                                     batch_slice slice) {
  program_builder b(model, shape, system.latent_copies(model));
  for (std::int32_t layer = 0; layer < model.layers; ++layer) {
    b.add({.kind = op_kind::store_landed, .layer = layer, .slice = slice, .stream = stream_id::copy});
  }
  return std::move(b).finish();
}

}  // namespace ess
