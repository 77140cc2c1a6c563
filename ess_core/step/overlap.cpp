#include "ess_core/step/overlap.h"

#include <algorithm>
#include <stdexcept>

namespace ess {
namespace {

// A model without an indexer attends to the whole context.
bool selects(const program_builder& b) { return b.model().index_heads > 0; }

void make_index_entries(program_builder& b, std::int32_t layer, batch_slice slice) {
  if (!selects(b)) return;
  b.add({.kind = op_kind::project_index, .layer = layer, .slice = slice});
  b.add({.kind = op_kind::append_key, .layer = layer, .slice = slice});
}

void select_part(program_builder& b, std::int32_t layer, batch_slice slice) {
  if (!selects(b)) return;
  b.add({.kind = op_kind::score_keys, .layer = layer, .slice = slice});
  b.add({.kind = op_kind::select_topk, .layer = layer, .slice = slice});
}

void attend(program_builder& b, const cache_system& system, std::int32_t layer, batch_slice slice,
            row_part part) {
  b.add({.kind = op_kind::attend,
         .layer = layer,
         .slice = slice,
         .part = part,
         .addressing = system.addressing()});
}

// Indexer and projections, then rows out and in, then attention over all rows at once.
void layer_without_overlap(program_builder& b, const cache_system& system, std::int32_t layer,
                           batch_slice slice) {
  system.begin_layer(b, layer, slice);
  make_index_entries(b, layer, slice);
  select_part(b, layer, slice);
  b.add({.kind = op_kind::project_attention, .layer = layer, .slice = slice});
  system.resolve(b, layer, slice);
  system.store_new_row(b, layer, slice);
  system.write_back(b, layer, slice);
  system.fetch(b, layer, slice);
  b.pause();
  system.select_ahead(b, layer, slice);
  system.fetch_ahead(b, layer, slice);
  attend(b, system, layer, slice, row_part::all);
}

// The fetch starts as soon as the ids are known and runs under the projections and the attention of resident
// rows.
void layer_with_dual_attention(program_builder& b, const cache_system& system, std::int32_t layer,
                               batch_slice slice) {
  system.begin_layer(b, layer, slice);
  make_index_entries(b, layer, slice);
  select_part(b, layer, slice);
  system.resolve(b, layer, slice);
  system.fetch(b, layer, slice);
  b.pause();
  system.select_ahead(b, layer, slice);
  b.add({.kind = op_kind::project_attention, .layer = layer, .slice = slice});
  system.store_new_row(b, layer, slice);
  system.write_back(b, layer, slice);
  system.fetch_ahead(b, layer, slice);
  attend(b, system, layer, slice, row_part::resident);
  attend(b, system, layer, slice, row_part::incoming);
  b.add({.kind = op_kind::merge, .layer = layer, .slice = slice});
}

// Weights are streamed once, for the whole batch; what takes the time of long contexts, scores and selection,
// runs by halves.
void layer_with_dual_batch_attention(program_builder& b, const cache_system& system, std::int32_t layer,
                                     batch_slice slice) {
  system.begin_layer(b, layer, slice);
  make_index_entries(b, layer, slice);
  for (const batch_slice half : halves_of(slice)) {
    select_part(b, layer, half);
    system.resolve(b, layer, half);
    system.fetch(b, layer, half);
    system.select_ahead(b, layer, half);
  }
  b.pause();
  b.add({.kind = op_kind::project_attention, .layer = layer, .slice = slice});
  system.store_new_row(b, layer, slice);
  system.write_back(b, layer, slice);
  system.fetch_ahead(b, layer, slice);
  attend(b, system, layer, slice, row_part::resident);
  for (const batch_slice half : halves_of(slice)) attend(b, system, layer, half, row_part::incoming);
  b.add({.kind = op_kind::merge, .layer = layer, .slice = slice});
}

constexpr std::array<std::string_view, 4> overlap_names = {"none", "da", "dba", "layerwise"};

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

std::vector<overlap_kind> overlap_by_misses(std::span<const double> misses_by_layer, double threshold) {
  std::vector<overlap_kind> out;
  for (const double misses : misses_by_layer) {
    out.push_back(misses >= threshold ? overlap_kind::dba : overlap_kind::da);
  }
  return out;
}

void add_attention_part(program_builder& b, const cache_system& system, overlap_kind kind, std::int32_t layer,
                        batch_slice slice) {
  switch (kind) {
    case overlap_kind::none:
      return layer_without_overlap(b, system, layer, slice);
    case overlap_kind::da:
      return layer_with_dual_attention(b, system, layer, slice);
    case overlap_kind::dba:
      return layer_with_dual_batch_attention(b, system, layer, slice);
    case overlap_kind::layerwise:
      break;
  }
  throw std::logic_error("layerwise is a choice for each layer, none for one");
}

}  // namespace ess
