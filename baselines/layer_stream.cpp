#include "baselines/layer_stream.h"

namespace ess {
namespace {

void stream(program_builder& b, std::int32_t layer, batch_slice slice) {
  b.add({.kind = op_kind::stream_layer, .layer = layer, .slice = slice, .stream = stream_id::copy});
}

}  // namespace

request_extent layer_stream_system::extent(const model_dims&, token_id final_tokens, std::int32_t) const {
  return {.index_tokens = whole_pages(final_tokens), .device_rows = final_tokens, .host_rows = final_tokens};
}

void layer_stream_system::begin_layer(program_builder& b, std::int32_t layer, batch_slice slice) const {
  if (layer == 0) stream(b, 0, slice);
  if (layer + 1 < b.model().layers) stream(b, layer + 1, slice);
}

void layer_stream_system::store_new_row(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add(
      {.kind = op_kind::append_row, .layer = layer, .slice = slice, .addressing = row_addressing::by_token});
}

void layer_stream_system::write_back(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add({.kind = op_kind::write_back, .layer = layer, .slice = slice, .stream = stream_id::copy});
}

}  // namespace ess
