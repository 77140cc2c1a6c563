#include "ess_core/cache/ess_system.h"

#include <algorithm>
#include <cmath>

namespace ess {

request_extent ess_system::extent(const model_dims& model, token_id final_tokens,
                                  std::int32_t query_tokens) const {
  const auto share = static_cast<std::int64_t>(std::ceil(options_.sparse_ratio * final_tokens));
  const std::int64_t slots =
      std::min<std::int64_t>(options_.pool_rows > 0 ? options_.pool_rows : share, final_tokens);
  const std::int64_t step_rows = query_tokens * (model.top_k + std::int64_t{1});
  return {.index_tokens = whole_pages(final_tokens),
          .device_rows = slots,
          .staging_rows = std::max<std::int64_t>(0, std::min<std::int64_t>(step_rows, final_tokens) - slots),
          .host_rows = final_tokens};
}

void ess_system::resolve(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add({.kind = op_kind::resolve, .layer = layer, .slice = slice});
}

void ess_system::store_new_row(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add({.kind = op_kind::append_row, .layer = layer, .slice = slice});
}

void ess_system::write_back(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add({.kind = op_kind::write_back, .layer = layer, .slice = slice, .stream = stream_id::copy});
}

// Rows of this step's own tokens never miss, so the fetch need not wait for them to be written back.
void ess_system::fetch(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add({.kind = op_kind::fetch,
         .layer = layer,
         .slice = slice,
         .stream = stream_id::copy,
         .part = row_part::resident});
}

}  // namespace ess
