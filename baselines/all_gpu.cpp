#include "baselines/all_gpu.h"

namespace ess {

request_extent all_gpu_system::extent(const model_dims&, token_id final_tokens, std::int32_t) const {
  return {.index_tokens = whole_pages(final_tokens), .device_rows = final_tokens};
}

void all_gpu_system::store_new_row(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add(
      {.kind = op_kind::append_row, .layer = layer, .slice = slice, .addressing = row_addressing::by_token});
}

}  // namespace ess
