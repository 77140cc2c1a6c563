#include "baselines/naive.h"

namespace ess {

request_extent naive_system::extent(const model_dims& model, token_id final_tokens,
                                    std::int32_t query_tokens) const {
  return {.index_tokens = whole_pages(final_tokens),
          .device_rows = std::int64_t{query_tokens} * model.top_k,
          .host_rows = final_tokens};
}

void naive_system::resolve(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add({.kind = op_kind::resolve, .layer = layer, .slice = slice});
}

// Before the fetch: a token may attend to itself, and then its own row comes back over the link.
void naive_system::write_back(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add({.kind = op_kind::write_back, .layer = layer, .slice = slice, .stream = stream_id::copy});
}

void naive_gather_system::fetch(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add({.kind = op_kind::fetch, .layer = layer, .slice = slice, .stream = stream_id::copy});
}

void naive_memcpy_system::fetch(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add({.kind = op_kind::read_back, .layer = layer, .slice = slice, .stream = stream_id::copy});
  b.add({.kind = op_kind::fetch_by_call, .layer = layer, .slice = slice, .stream = stream_id::copy});
}

}  // namespace ess
