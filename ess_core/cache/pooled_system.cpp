#include "ess_core/cache/pooled_system.h"

#include <algorithm>

namespace ess {

request_extent pooled_system::extent(const model_dims& model, token_id final_tokens,
                                     std::int32_t query_tokens) const {
  std::int64_t slots = std::min<std::int64_t>(pool_slots(model, final_tokens), final_tokens);
  std::int64_t fewest = slots;  // of any layer
  if (const auto weights = layer_weights(model); !weights.empty()) {
    const std::int64_t least = *std::min_element(weights.begin(), weights.end());
    slots = std::max(slots, (one_weight + least - 1) / least);  // every layer has one
    fewest = slots * least / one_weight;
  }
  const std::int64_t step_rows = query_tokens * (model.top_k + std::int64_t{1});
  return {.index_tokens = whole_pages(final_tokens),
          .device_rows = slots,
          .staging_rows = std::max<std::int64_t>(0, std::min<std::int64_t>(step_rows, final_tokens) - fewest),
          .host_rows = final_tokens};
}

void pooled_system::resolve(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add({.kind = op_kind::resolve, .layer = layer, .slice = slice});
}

void pooled_system::store_new_row(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add({.kind = op_kind::append_row, .layer = layer, .slice = slice});
}

void pooled_system::write_back(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add({.kind = op_kind::write_back, .layer = layer, .slice = slice, .stream = stream_id::copy});
}

// Rows of this step's own tokens never miss, so the fetch need not wait for them to be written back.
void pooled_system::fetch(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add({.kind = op_kind::fetch,
         .layer = layer,
         .slice = slice,
         .stream = stream_id::copy,
         .part = row_part::resident});
}

}  // namespace ess
