#include "ess_core/step/overlap.h"

#include <array>
#include <stdexcept>
#include <utility>
#include <vector>

namespace ess {
namespace {

void make_draft_input(program_builder& b, std::int32_t layer, batch_slice slice) {
  if (b.model().is_draft_layer(layer)) b.add({.kind = op_kind::draft, .layer = layer, .slice = slice});
}

void select_part(program_builder& b, std::int32_t layer, batch_slice slice) {
  b.add({.kind = op_kind::score_keys, .layer = layer, .slice = slice});
  b.add({.kind = op_kind::select_topk, .layer = layer, .slice = slice});
}

void make_index_entries(program_builder& b, std::int32_t layer, batch_slice slice) {
  b.add({.kind = op_kind::project_index, .layer = layer, .slice = slice});
  b.add({.kind = op_kind::append_key, .layer = layer, .slice = slice});
}

void index_part(program_builder& b, std::int32_t layer, batch_slice slice) {
  make_index_entries(b, layer, slice);
  select_part(b, layer, slice);
}

void attend(program_builder& b, const cache_system& system, std::int32_t layer, batch_slice slice,
            row_part part) {
  b.add({.kind = op_kind::attend,
         .layer = layer,
         .slice = slice,
         .part = part,
         .addressing = system.addressing()});
}

void feed_forward_part(program_builder& b, std::int32_t layer, batch_slice slice) {
  if (!b.model().is_moe_layer(layer)) {
    b.add({.kind = op_kind::feed_forward, .layer = layer, .slice = slice});
    return;
  }
  for (const op_kind kind : {op_kind::route, op_kind::dispatch, op_kind::experts, op_kind::combine}) {
    b.add({.kind = kind, .layer = layer, .slice = slice});
  }
}

// Indexer and projections, then rows out and in, then attention over all rows at once.
void layer_without_overlap(program_builder& b, const cache_system& system, std::int32_t layer,
                           batch_slice slice) {
  system.begin_layer(b, layer, slice);
  index_part(b, layer, slice);
  b.add({.kind = op_kind::project_attention, .layer = layer, .slice = slice});
  system.resolve(b, layer, slice);
  system.store_new_row(b, layer, slice);
  system.write_back(b, layer, slice);
  system.fetch(b, layer, slice);
  attend(b, system, layer, slice, row_part::all);
}

// The fetch starts as soon as the ids are known and runs under the projections and the attention of resident
// rows.
void layer_with_dual_attention(program_builder& b, const cache_system& system, std::int32_t layer,
                               batch_slice slice) {
  system.begin_layer(b, layer, slice);
  index_part(b, layer, slice);
  system.resolve(b, layer, slice);
  system.fetch(b, layer, slice);
  b.add({.kind = op_kind::project_attention, .layer = layer, .slice = slice});
  system.store_new_row(b, layer, slice);
  system.write_back(b, layer, slice);
  attend(b, system, layer, slice, row_part::resident);
  attend(b, system, layer, slice, row_part::incoming);
  b.add({.kind = op_kind::merge, .layer = layer, .slice = slice});
}

// The larger half first; one seat has no second half.
std::vector<batch_slice> halves(batch_slice slice) {
  const std::int32_t first = (slice.count + 1) / 2;
  std::vector<batch_slice> parts = {{slice.first, first}};
  if (slice.count > 1) parts.push_back({slice.first + first, slice.count - first});
  return parts;
}

// Weights are streamed once, for the whole batch; what takes the time of long contexts, scores and selection,
// runs by halves.
void layer_with_dual_batch_attention(program_builder& b, const cache_system& system, std::int32_t layer,
                                     batch_slice slice) {
  system.begin_layer(b, layer, slice);
  make_index_entries(b, layer, slice);
  for (const batch_slice half : halves(slice)) {
    select_part(b, layer, half);
    system.resolve(b, layer, half);
    system.fetch(b, layer, half);
  }
  b.add({.kind = op_kind::project_attention, .layer = layer, .slice = slice});
  system.store_new_row(b, layer, slice);
  system.write_back(b, layer, slice);
  attend(b, system, layer, slice, row_part::resident);
  for (const batch_slice half : halves(slice)) attend(b, system, layer, half, row_part::incoming);
  b.add({.kind = op_kind::merge, .layer = layer, .slice = slice});
}

using layer_builder = void (*)(program_builder&, const cache_system&, std::int32_t, batch_slice);

layer_builder builder_of(overlap_kind overlap) {
  switch (overlap) {
    case overlap_kind::none:
      return layer_without_overlap;
    case overlap_kind::da:
      return layer_with_dual_attention;
    case overlap_kind::dba:
      return layer_with_dual_batch_attention;
  }
  throw std::logic_error("builder_of: not an overlap");
}

constexpr std::array<std::string_view, 3> overlap_names = {"none", "da", "dba"};

}  // namespace

std::string_view to_string(overlap_kind kind) { return overlap_names[static_cast<std::size_t>(kind)]; }

std::optional<overlap_kind> parse_overlap(std::string_view name) {
  for (const overlap_kind kind : all_overlaps) {
    if (to_string(kind) == name) return kind;
  }
  return std::nullopt;
}

overlap_kind effective_overlap(const cache_system& system, overlap_kind asked) {
  return system.splits_attention() ? asked : overlap_kind::none;
}

step_program build_decode_step(const model_dims& model, batch_shape shape, const cache_system& system,
                               overlap_kind overlap) {
  program_builder b(model, shape, system.latent_copies(model));
  const layer_builder build_layer = builder_of(effective_overlap(system, overlap));
  for (std::int32_t layer = 0; layer < model.layers; ++layer) {
    make_draft_input(b, layer, b.whole_batch());
    build_layer(b, system, layer, b.whole_batch());
    b.add({.kind = op_kind::output, .layer = layer, .slice = b.whole_batch()});
    feed_forward_part(b, layer, b.whole_batch());
  }
  return std::move(b).finish();
}

step_program build_warm_up_step(const model_dims& model, batch_shape shape, const cache_system& system,
                                batch_slice slice, warm_up_ids ids) {
  program_builder b(model, shape, system.latent_copies(model));
  for (std::int32_t layer = 0; layer < model.layers; ++layer) {
    if (ids == warm_up_ids::selected) {
      make_draft_input(b, layer, slice);
      b.add({.kind = op_kind::project_index, .layer = layer, .slice = slice});
      select_part(b, layer, slice);
    }
    system.resolve(b, layer, slice);
    system.fetch(b, layer, slice);
  }
  return std::move(b).finish();
}

}  // namespace ess
